//! What a processor is given, as types: each `with_store` and `with_output` adds a handle to what its supplier gets.
//!
//! ```text
//!   with nothing        supply(|()| ...)
//!   with one            supply(|counts| ...)
//!   with more           supply(|(counts, prices, late)| ...)         up to eight; more of one type: with_stores
//! ```

use crate::codec::{Codec, Data};
use crate::error::Result;
use crate::processor::Port;
use crate::store::KeyValueStore;

use super::instance::Wiring;
use super::store::{Output, Store};

/// Something that is handed over. Sealed.
pub trait Part: Send + Sync + 'static {
    /// As the processor gets it.
    type Handle: 'static;

    #[doc(hidden)]
    fn connect(&self, wiring: &Wiring<'_>) -> Result<Self::Handle>;
}

impl<K: Codec + ?Sized, V: Codec + ?Sized> Part for Store<K, V> {
    type Handle = KeyValueStore<K, V>;

    fn connect(&self, wiring: &Wiring<'_>) -> Result<KeyValueStore<K, V>> {
        wiring.store(self)
    }
}

impl<K: Data + ?Sized, V: Data + ?Sized> Part for Output<K, V> {
    type Handle = Port<K, V>;

    fn connect(&self, wiring: &Wiring<'_>) -> Result<Port<K, V>> {
        wiring.output(self)
    }
}

impl<P: Part> Part for Vec<P> {
    type Handle = Vec<P::Handle>;

    fn connect(&self, wiring: &Wiring<'_>) -> Result<Self::Handle> {
        self.iter().map(|part| part.connect(wiring)).collect()
    }
}

/// All that a processor is given. Sealed.
pub trait Parts: Send + Sync + 'static {
    /// As its supplier gets it.
    type Handles: 'static;

    #[doc(hidden)]
    fn connect(&self, wiring: &Wiring<'_>) -> Result<Self::Handles>;
}

/// Parts to which one more can be added. Sealed.
pub trait Append<P>: Parts {
    /// With the new one as the last.
    type With: Parts;

    #[doc(hidden)]
    fn append(self, part: P) -> Self::With;
}

/// One part alone.
pub struct One<P>(P);

impl Parts for () {
    type Handles = ();

    fn connect(&self, _: &Wiring<'_>) -> Result<()> {
        Ok(())
    }
}

impl<P: Part> Append<P> for () {
    type With = One<P>;

    fn append(self, part: P) -> One<P> {
        One(part)
    }
}

impl<P: Part> Parts for One<P> {
    type Handles = P::Handle;

    fn connect(&self, wiring: &Wiring<'_>) -> Result<P::Handle> {
        self.0.connect(wiring)
    }
}

impl<A: Part, P: Part> Append<P> for One<A> {
    type With = (A, P);

    fn append(self, part: P) -> (A, P) {
        (self.0, part)
    }
}

macro_rules! parts {
    ($($name:ident),+) => {
        impl<$($name: Part),+> Parts for ($($name),+) {
            type Handles = ($($name::Handle),+);

            #[allow(non_snake_case, reason = "named as their types")]
            fn connect(&self, wiring: &Wiring<'_>) -> Result<Self::Handles> {
                let ($($name),+) = self;
                Ok(($($name.connect(wiring)?),+))
            }
        }
    };
}

macro_rules! append {
    ($($name:ident),+) => {
        impl<$($name: Part,)+ Last: Part> Append<Last> for ($($name),+) {
            type With = ($($name,)+ Last);

            #[allow(non_snake_case, reason = "named as their types")]
            fn append(self, part: Last) -> Self::With {
                let ($($name),+) = self;
                ($($name,)+ part)
            }
        }
    };
}

parts!(A, B);
parts!(A, B, C);
parts!(A, B, C, D);
parts!(A, B, C, D, E);
parts!(A, B, C, D, E, F);
parts!(A, B, C, D, E, F, G);
parts!(A, B, C, D, E, F, G, H);
append!(A, B);
append!(A, B, C);
append!(A, B, C, D);
append!(A, B, C, D, E);
append!(A, B, C, D, E, F);
append!(A, B, C, D, E, F, G);
