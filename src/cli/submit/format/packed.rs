//! Inputs that are packed: by gzip, by zstd.

use std::io::{self, BufRead, BufReader, Read};

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::{Source, invalid};

const GZIP: &[u8] = b"\x1f\x8b";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";
/// What a frame of zstd begins with that is passed over, behind a first byte that differs. Parallel packers put one
/// first.
const ZSTD_SKIPPED: &[u8] = b"\x2a\x4d\x18";

/// Unpacks an input that begins with these bytes and is packed; any other stays as it is. Nothing is unpacked ahead.
pub(super) fn unpack<'i>(magic: &[u8], input: Source<'i>) -> Source<'i> {
    if magic.starts_with(GZIP) {
        Box::new(Unpacked { name: "gzip", input: MultiGzDecoder::new(input) })
    } else if magic.starts_with(ZSTD) || is_skipped_frame(magic) {
        Box::new(Unpacked {
            name: "zstd",
            input: Frames { decoder: FrameDecoder::new(), input: BufReader::new(input) },
        })
    } else {
        input
    }
}

fn is_skipped_frame(magic: &[u8]) -> bool {
    magic.first().is_some_and(|first| first >> 4 == 5)
        && magic.get(1..).is_some_and(|rest| rest.starts_with(ZSTD_SKIPPED))
}

/// Says what was unpacked where that fails.
struct Unpacked<R> {
    name: &'static str,
    input: R,
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.input.read(buffer).map_err(|error| match error.raw_os_error() {
            Some(_) => error,
            None if error.kind() == io::ErrorKind::Interrupted => error,
            None => invalid(format!("the input is packed with {}, and damaged or cut off: {error}", self.name)),
        })
    }
}

/// The frames of zstd, one behind the other, as `cat` and parallel packers leave them. A frame that asks for a window
/// of more than 128 MiB is refused.
struct Frames<R> {
    decoder: FrameDecoder,
    input: R,
}

impl<R: BufRead> Frames<R> {
    /// Begins the next frame. `false`: there is none.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.input.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.input) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let skipped = io::copy(&mut (&mut self.input).take(length.into()), &mut io::sink())?;
                    if skipped < length.into() {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(false)
    }

    /// Whether the frame that is over is what was packed.
    fn check(&self) -> io::Result<()> {
        let sums = (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum());
        if let (Some(said), Some(found)) = sums
            && said != found
        {
            return Err(io::Error::other("its checksum is another"));
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.decoder.can_collect() == 0 {
            if self.decoder.is_finished() {
                self.check()?;
                if !self.begin()? {
                    return Ok(0);
                }
            } else {
                let decoded = self.decoder.decode_blocks(&mut self.input, BlockDecodingStrategy::UptoBlocks(1));
                decoded.map_err(io::Error::other)?;
            }
        }
        self.decoder.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::super::{open, unread};
    use super::*;
    use crate::cli::error::Result;

    const TEXT: &str = "{\"from\":\"alice\",\"to\":\"bob\",\"amount\":3}\n";

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &str) -> Vec<u8> {
        compress_to_vec(text.as_bytes(), CompressionLevel::Fastest)
    }

    /// Sixty lines as the library in C packs them at its level 19: with Huffman trees and tables of its own.
    const PACKED_IN_C: &str = "28b52ffd64a407ed0800c2ce2216a0291d0f6c25e59f55250e49526e99920416f7706a048085ffb2979fcdacdd544f53cd7e\
         aacada96e855b5ef7d3db67158d3e9ac72d7da29df6e935c1e179e99771617eb1a951a2b6f390f9d95b9239a66f79aef45a7\
         9bf371ca6e1df2b056dc52eb642496eb0e0ba945ec5d8a8c7e679206588c411086c451100c88410e040990111083148e0381\
         28027aa81170a2de633b60151426791120045388a989784a5b853d03620cb3342deca11ff77779b0546b6e1ec9c9c4362ff7\
         918d7a9ceba0d9ad9abaf05f4f5c88334a6b42280b843c6fb9992e2e6ea3e1ea1c668e96ed0072f2a01d91d0c9256ecc4dde\
         b1220b153b1a8a94f9786bb279c6249992046214c3ce7e8a0a790df2900a55eeeaf12bbb912b0162d0a52aa0ab99f8fe0c";

    #[test]
    fn what_the_library_in_c_packs_is_read_and_what_is_altered_in_it_or_behind_is_refused_without_a_panic() {
        let packed = hex::decode(PACKED_IN_C).unwrap();
        let text = unpacked(&packed).unwrap();
        assert_eq!(text.lines().count(), 60);
        assert!(text.starts_with("{\"from\":\"a0\",\"to\":\"b0\",\"amount\":0}\n"), "{text}");
        let mut random = StdRng::seed_from_u64(7);
        let (mut refused_count, round_count) = (0, 500);
        for pack in [packed, gzip(&text)] {
            for _ in 0..round_count {
                let mut altered = pack.clone();
                for _ in 0..random.random_range(1..4) {
                    // What says that it is packed stays.
                    let place = random.random_range(4..altered.len());
                    altered[place] = random.random();
                }
                altered.truncate(random.random_range(altered.len() / 2..=altered.len() * 3 / 2));
                match unpacked(&altered) {
                    Err(_) => refused_count += 1,
                    Ok(lines) => assert_eq!(lines, text),
                }
            }
        }
        assert!(refused_count > round_count, "{refused_count}");
    }

    fn unpacked(bytes: &[u8]) -> Result<String> {
        let mut text = String::new();
        open(Box::new(bytes))?.lines.read_to_string(&mut text).map_err(unread)?;
        Ok(text)
    }

    #[test]
    fn packed_lines_are_read_also_where_several_files_were_joined() {
        let long = TEXT.repeat(50_000);
        for pack in [gzip as fn(&str) -> Vec<u8>, zstd] {
            assert_eq!(unpacked(&pack(TEXT)).unwrap(), TEXT);
            assert_eq!(unpacked(&pack(&long)).unwrap(), long);
            assert_eq!(unpacked(&[pack(&long), pack(TEXT)].concat()).unwrap(), [long.as_str(), TEXT].concat());
            assert_eq!(unpacked(&pack("")).unwrap(), "");
            let list = unpacked(&pack(&format!("\u{feff}[{TEXT}]"))).unwrap();
            assert_eq!(list.trim_end(), TEXT.trim_end());
        }
        // A frame of zstd that is to be passed over, as parallel packers write it.
        let skippable = b"\x50\x2a\x4d\x18\x04\0\0\0abcd";
        let joined = [&zstd(TEXT)[..], skippable, &zstd(TEXT)].concat();
        assert_eq!(unpacked(&joined).unwrap(), TEXT.repeat(2));
        // Also at the head, and however many there are.
        let empty = b"\x5a\x2a\x4d\x18\0\0\0\0".repeat(1 << 20);
        for frames in [&skippable[..], &empty] {
            assert_eq!(unpacked(&[frames, &zstd(TEXT)].concat()).unwrap(), TEXT);
        }
    }

    #[test]
    fn what_is_damaged_or_cut_off_says_so_and_what_is_packed_twice_is_left_alone() {
        let long: String = (0..5_000).map(|n| format!("{{\"from\":\"a{n}\",\"to\":\"b\",\"amount\":{n}}}\n")).collect();
        for (pack, name) in [(gzip as fn(&str) -> Vec<u8>, "gzip"), (zstd, "zstd")] {
            let packed = pack(&long);
            for length in [MIN, packed.len() / 2, packed.len() - 1] {
                let error = unpacked(&packed[..length]).unwrap_err().to_string();
                assert!(error.contains(&format!("packed with {name}, and damaged or cut off")), "{length}: {error}");
            }
            let mut altered = packed.clone();
            let end = altered.len();
            altered[end - 6] ^= 1;
            assert!(unpacked(&altered).is_err(), "{name}");
        }
        let mut twice = GzEncoder::new(Vec::new(), Compression::default());
        twice.write_all(&gzip(TEXT)).unwrap();
        assert!(unpacked(&twice.finish().unwrap()).unwrap_err().to_string().contains("packed twice"));
    }

    /// The shortest part of a file that still tells what it is.
    const MIN: usize = 6;
}
