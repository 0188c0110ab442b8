//! Errors of the user's code: any error will do, and the engine's keep their class.
//!
//! ```text
//!   processor ── any error, with `?` ──> BoxError ──> Error
//!                                                     the class it has, or else stop
//! ```

use crate::error::{Class, Error};
use crate::{log, store};

/// Any error. What [`Error::new`] made, and what stores and logs answer, keeps its class on the way to the engine; any
/// other stops the thread, unless [`Classify::class`] says what else to do.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What the calls of a processor return: `?` works on any error.
///
/// ```
/// use topology::processor::{self, Classify};
/// use topology::{Class, Error};
///
/// fn number(text: &str) -> processor::Result<i64> {
///     Ok(text.parse()?)
/// }
///
/// fn looked_up(text: &str) -> processor::Result<i64> {
///     Ok(text.parse().class(Class::Rewind)?)
/// }
///
/// assert_eq!(Error::from(number("seven").unwrap_err()).class(), Class::Stop);
/// assert_eq!(Error::from(looked_up("seven").unwrap_err()).class(), Class::Rewind);
/// ```
pub type Result<T = (), E = BoxError> = std::result::Result<T, E>;

/// Says of a foreign error what the engine shall do next.
pub trait Classify<T> {
    /// The error as one of this class.
    fn class(self, class: Class) -> Result<T, Error>;
}

impl<T, E: Into<BoxError>> Classify<T> for Result<T, E> {
    fn class(self, class: Class) -> Result<T, Error> {
        self.map_err(|error| Error::boxed(class, error.into()))
    }
}

impl From<BoxError> for Error {
    fn from(error: BoxError) -> Self {
        known(error).unwrap_or_else(|error| Error::boxed(Class::Stop, error))
    }
}

/// An error with a class, or else the error itself.
fn known(error: BoxError) -> Result<Error> {
    let error = match error.downcast::<Error>() {
        Ok(error) => return Ok(*error),
        Err(error) => error,
    };
    let error = match error.downcast::<store::Error>() {
        Ok(error) => return Ok((*error).into()),
        Err(error) => error,
    };
    error.downcast::<log::Error>().map(|error| (*error).into())
}

/// What a processor's call gave. See [`named_after`].
#[inline]
pub(super) fn named(result: Result, processor: &str) -> crate::error::Result<()> {
    match result {
        Ok(()) => Ok(()),
        Err(error) => Err(named_after(processor, error, Class::Stop)),
    }
}

/// What a processor made of a record: a foreign error says that this record is wrong.
#[inline]
pub(super) fn named_of_record(result: Result, processor: &str) -> crate::error::Result<()> {
    match result {
        Ok(()) => Ok(()),
        Err(error) => Err(named_after(processor, error, Class::Input)),
    }
}

/// What a call gave of a processor that may have scheduled what cannot be. That is no fault of a record, so no handler
/// of records gets to see it.
#[inline]
pub(super) fn unless_mistaken(
    result: crate::error::Result<()>,
    mistake: Option<String>,
    processor: &str,
) -> crate::error::Result<()> {
    match mistake {
        None => result,
        Some(mistake) => Err(Error::stop(format!("processor '{processor}' {mistake}"))),
    }
}

/// The error of a processor as the engine's, with the processor's name and this class where it does not say where it
/// comes from.
#[cold]
pub(crate) fn named_after(processor: &str, error: BoxError, class: Class) -> Error {
    known(error)
        .unwrap_or_else(|error| Error::new(class, format!("processor '{processor}' failed: {error}")).because(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the market is closed")]
    struct Closed;

    fn through<E: std::error::Error + Send + Sync + 'static>(error: E) -> Error {
        let process = || -> Result { Err(error)? };
        named_after("trade", process().unwrap_err(), Class::Stop)
    }

    #[test]
    fn errors_of_the_engine_keep_class_and_text_on_their_way_through_a_processor() {
        for class in [Class::Retry, Class::Rewind, Class::Rejoin, Class::Stop, Class::Input] {
            let error = through(Error::new(class, "as it was"));
            assert_eq!((error.class(), error.to_string().as_str()), (class, "as it was"));
        }
        let damaged = through(store::Error::new(store::Kind::Damaged, "a file is damaged"));
        assert_eq!((damaged.class(), damaged.to_string().as_str()), (Class::Rewind, "a file is damaged"));
        assert_eq!(through(log::Error::new(log::Kind::NotMember, "gone")).class(), Class::Rejoin);
    }

    #[test]
    fn a_foreign_error_stops_and_says_where_unless_it_is_classed() {
        let error = through(Closed);
        assert_eq!(
            (error.class(), error.to_string().as_str()),
            (Class::Stop, "processor 'trade' failed: the market is closed")
        );
        assert!(std::error::Error::source(&error).unwrap().is::<Closed>(), "the cause is kept");
        let classed = Err::<(), _>(Closed).class(Class::Rewind).unwrap_err();
        assert_eq!((classed.class(), classed.to_string().as_str()), (Class::Rewind, "the market is closed"));
        assert_eq!(through(classed).class(), Class::Rewind);
    }

    #[test]
    fn text_is_an_error_too() {
        let process = || -> Result { Err("no more")? };
        assert_eq!(Error::from(process().unwrap_err()).to_string(), "no more");
    }
}
