//! Rows as Apache Parquet: buffered by column, written a row group at a time.
//!
//! Integers are delta-encoded, words (names, codes, hashes) have a dictionary, all is compressed with Zstandard. The
//! bytes follow from the rows alone, so that an export that is done again gives the same file.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use parquet::basic::{Compression, Encoding, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{ColumnPath, Type};

use super::table::{Cell, Column, Kind, Row, Table};
use super::text::hex_digits;
use super::writer::Subject;
use crate::chain::Hash;
use crate::rows::VERSION;

/// Rows of a row group: what DuckDB gives to a thread at a time.
const GROUP_ROWS_MAX: usize = 122_880;
/// Bytes of text in a row group, so that long texts do not make it large.
const GROUP_TEXT_BYTES_MAX: usize = 32 << 20;
const DICTIONARY_BYTES_MAX: usize = 4 << 20;
const ZSTD_LEVEL: i32 = 3;
const CREATED_BY: &str = concat!("cairn version ", env!("CARGO_PKG_VERSION"));

/// A file that is being written.
pub(super) struct Parquet {
    writer: SerializedFileWriter<File>,
    table: Table,
    columns: Vec<Buffer>,
    row_count: usize,
    text_bytes: usize,
}

impl Parquet {
    pub(super) fn new(file: File, table: Table) -> io::Result<Self> {
        let columns = table.columns();
        let fields = columns.iter().map(|column| field(column).map(Arc::new)).collect::<io::Result<_>>()?;
        let schema = Type::group_type_builder(table.name()).with_fields(fields).build()?;
        let writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties(table)?))?;
        let columns = columns.iter().map(Buffer::of).collect();
        Ok(Self { writer, table, columns, row_count: 0, text_bytes: 0 })
    }

    pub(super) fn row<R: Row>(&mut self, row: &R) -> io::Result<()> {
        for (buffer, cell) in self.columns.iter_mut().zip(row.cells()) {
            self.text_bytes += buffer.push(cell)?;
        }
        self.row_count += 1;
        if self.row_count >= GROUP_ROWS_MAX || self.text_bytes >= GROUP_TEXT_BYTES_MAX {
            self.write_group()?;
        }
        Ok(())
    }

    fn write_group(&mut self) -> io::Result<()> {
        let mut group = self.writer.next_row_group()?;
        for buffer in &mut self.columns {
            let Some(mut column) = group.next_column()? else {
                return Err(io::Error::other("a table has more columns than its schema"));
            };
            buffer.write(&mut column)?;
            column.close()?;
        }
        group.close()?;
        (self.row_count, self.text_bytes) = (0, 0);
        Ok(())
    }

    pub(super) fn finish(mut self, subject: &Subject, (first, last): (u64, u64)) -> io::Result<File> {
        if self.row_count > 0 {
            self.write_group()?;
        }
        let Subject { chain_id, genesis_hash } = subject;
        for (key, value) in [
            ("cairn.table", self.table.name().to_owned()),
            ("cairn.row_version", VERSION.to_string()),
            ("cairn.chain_id", chain_id.clone()),
            ("cairn.genesis_hash", genesis_hash.to_string()),
            ("cairn.first_height", first.to_string()),
            ("cairn.last_height", last.to_string()),
        ] {
            self.writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        }
        Ok(self.writer.into_inner()?)
    }
}

/// The name of a column: a time has a type that says its unit, and needs no ending for it.
pub(super) fn name(column: &Column) -> &'static str {
    match column.kind {
        Kind::Time => column.name.trim_end_matches("_ms"),
        _ => column.name,
    }
}

fn field(column: &Column) -> io::Result<Type> {
    let (physical, logical) = match column.kind {
        Kind::Small => (Physical::INT32, None),
        Kind::Integer => (Physical::INT64, None),
        Kind::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
        Kind::Word | Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
    };
    let repetition = if column.is_nullable { Repetition::OPTIONAL } else { Repetition::REQUIRED };
    let builder = Type::primitive_type_builder(name(column), physical);
    Ok(builder.with_repetition(repetition).with_logical_type(logical).build()?)
}

fn properties(table: Table) -> io::Result<WriterProperties> {
    let columns = table.columns();
    let place = |sorted: &str| columns.iter().position(|column| column.name == sorted);
    let sorting = table.sorted_by().iter().filter_map(|sorted| i32::try_from(place(sorted)?).ok());
    let sorting = sorting.map(|column_idx| SortingColumn { column_idx, descending: false, nulls_first: false });
    let mut properties = WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        // Groups end where this file ends them.
        .set_max_row_group_row_count(None)
        .set_sorting_columns(Some(sorting.collect()));
    for column in columns {
        let path = || ColumnPath::from(name(column));
        properties = match column.kind {
            Kind::Small | Kind::Integer | Kind::Time => properties
                .set_column_dictionary_enabled(path(), false)
                .set_column_encoding(path(), Encoding::DELTA_BINARY_PACKED),
            Kind::Word => properties
                .set_column_dictionary_enabled(path(), true)
                .set_column_dictionary_page_size_limit(path(), DICTIONARY_BYTES_MAX),
            Kind::Text => properties.set_column_dictionary_enabled(path(), false),
        };
    }
    Ok(properties.build())
}

/// What a row group has in one column so far.
struct Buffer {
    name: &'static str,
    values: Values,
    /// For each row, 1 where there is a value; `None` where there always is.
    levels: Option<Vec<i16>>,
}

enum Values {
    Small(Vec<i32>),
    Integers(Vec<i64>),
    Texts(Texts),
}

/// Texts one behind the other. Rows in a row often have the same, which is kept once.
#[derive(Default)]
struct Texts {
    bytes: Vec<u8>,
    places: Vec<Range<usize>>,
    last_hash: Option<Hash>,
}

impl Buffer {
    fn of(column: &Column) -> Self {
        let values = match column.kind {
            Kind::Small => Values::Small(Vec::new()),
            Kind::Integer | Kind::Time => Values::Integers(Vec::new()),
            Kind::Word | Kind::Text => Values::Texts(Texts::default()),
        };
        Self { name: column.name, values, levels: column.is_nullable.then(Vec::new) }
    }

    /// Adds the value of the next row; how many bytes of text that takes.
    fn push(&mut self, cell: Cell<'_>) -> io::Result<usize> {
        let misplaced = || io::Error::other(format!("{cell:?} does not fit in the column '{}'", self.name));
        match (&mut self.levels, cell) {
            (Some(levels), Cell::Null) => {
                levels.push(0);
                return Ok(0);
            }
            (Some(levels), _) => levels.push(1),
            (None, _) => {}
        }
        let integer = match cell {
            Cell::Integer(integer) => Some(integer),
            Cell::Unsigned(integer) => i64::try_from(integer).ok(),
            Cell::Null | Cell::Text(_) | Cell::Hash(_) => None,
        };
        match (&mut self.values, cell) {
            (Values::Small(values), _) => {
                let small = integer.and_then(|integer| i32::try_from(integer).ok());
                values.push(small.ok_or_else(misplaced)?);
            }
            (Values::Integers(values), _) => values.push(integer.ok_or_else(misplaced)?),
            (Values::Texts(texts), Cell::Text(text)) => return Ok(texts.push(text.as_bytes())),
            (Values::Texts(texts), Cell::Hash(hash)) => return Ok(texts.push_hash(hash)),
            (Values::Texts(_), _) => return Err(misplaced()),
        }
        Ok(0)
    }

    /// Writes what is there, and is empty then.
    fn write(&mut self, column: &mut SerializedColumnWriter<'_>) -> io::Result<()> {
        let levels = self.levels.as_deref();
        match &mut self.values {
            Values::Small(values) => {
                write::<Int32Type>(column, values, levels)?;
                values.clear();
            }
            Values::Integers(values) => {
                write::<Int64Type>(column, values, levels)?;
                values.clear();
            }
            Values::Texts(texts) => {
                let all = ByteArray::from(std::mem::take(&mut texts.bytes));
                let slice = |place: Range<usize>| all.slice(place.start, place.len());
                let values: Vec<ByteArray> = texts.places.drain(..).map(slice).collect();
                write::<ByteArrayType>(column, &values, levels)?;
                texts.last_hash = None;
            }
        }
        if let Some(levels) = &mut self.levels {
            levels.clear();
        }
        Ok(())
    }
}

fn write<T: DataType>(
    column: &mut SerializedColumnWriter<'_>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> io::Result<()> {
    column.typed::<T>().write_batch(values, levels, None)?;
    Ok(())
}

impl Texts {
    fn push(&mut self, text: &[u8]) -> usize {
        if let Some(last) = self.places.last().filter(|last| self.bytes.get((*last).clone()) == Some(text)) {
            self.places.push(last.clone());
            return 0;
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text);
        self.places.push(start..self.bytes.len());
        text.len()
    }

    fn push_hash(&mut self, hash: &Hash) -> usize {
        if let Some(last) = self.places.last().filter(|_| self.last_hash == Some(*hash)) {
            self.places.push(last.clone());
            return 0;
        }
        self.last_hash = Some(*hash);
        self.push(&hex_digits(hash.as_bytes()))
    }
}
