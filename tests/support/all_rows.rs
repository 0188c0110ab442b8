//! All rows of a chain, block by block, for comparisons: made by the library from the blocks alone.

use cairn::chain::Block;
use cairn::rows::{Balance, Book, Error, Transfer, Validator, transfers, validators};

/// The rows of one block.
pub(crate) struct Rows<'b> {
    pub(crate) transfers: Vec<Transfer<'b>>,
    pub(crate) balances: Vec<Balance<'b>>,
    pub(crate) validators: Vec<Validator<'b>>,
}

/// A chain as far as its rows were made.
#[derive(Default)]
pub(crate) struct AllRows {
    /// What they are made with; none before block 0.
    pub(crate) book: Option<Book>,
}

impl AllRows {
    /// The rows of the next block, whose seal must hold.
    pub(crate) fn of<'b>(&mut self, block: &'b Block) -> Result<Rows<'b>, Error> {
        let (book, balances) = match &mut self.book {
            Some(book) => {
                let balances = match book.follow(block) {
                    // Of two things that are wrong the seal is told.
                    Err(Error::Broken(broken)) => return Err(book.first_breach(broken).into()),
                    followed => followed?,
                };
                (book, balances)
            }
            none => {
                let (book, balances) = Book::begin(block)?;
                (none.insert(book), balances)
            }
        };
        book.check_seals()?;
        let chain = book.chain();
        let (transfers, validators) = (transfers(block, chain.fee()).collect(), validators(chain, block));
        Ok(Rows { transfers, balances, validators })
    }
}
