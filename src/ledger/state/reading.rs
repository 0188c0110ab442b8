//! Single things, read from a state.

use borsh::{BorshDeserialize, BorshSerialize};

use super::records::{StateError, from_record, id_key};
use super::{Account, Covered, RememberedId, Supply, Table, Tip, ValidatorRecord, View};
use crate::chain::{Id, Name, Parameters, ValidatorId, from_canonical};
use crate::ledger::Error;

/// The key of [`Table::Chain`] under which the parameters lie.
pub(super) const PARAMETERS: &[u8] = b"parameters";
/// The key of [`Table::Chain`] under which the supply lies.
pub(in crate::ledger) const SUPPLY: &[u8] = b"supply";
/// The only key of [`Table::Tip`].
pub(super) const TIP: &[u8] = b"tip";

/// The record of a key, decoded.
pub(in crate::ledger) fn read<V, T>(view: &V, table: Table, key: &[u8]) -> Result<Option<T>, Error<V::Error>>
where
    V: View + ?Sized,
    T: BorshSerialize + BorshDeserialize,
{
    let mut record = Vec::new();
    if !view.get(table, key, &mut record).map_err(Error::View)? {
        return Ok(None);
    }
    Ok(Some(from_record(table, key, &record)?))
}

/// The last block of the state; `None` where no chain was begun in it.
pub fn tip<V: View + ?Sized>(view: &V) -> Result<Option<Tip>, Error<V::Error>> {
    read(view, Table::Tip, TIP)
}

/// The chain parameters in force.
pub fn parameters<V: View + ?Sized>(view: &V) -> Result<Parameters, Error<V::Error>> {
    let mut record = Vec::new();
    if !view.get(Table::Chain, PARAMETERS, &mut record).map_err(Error::View)? {
        return Err(StateError::missing(Table::Chain, PARAMETERS).into());
    }
    from_canonical(&record).map_err(|error| Error::State(StateError::corrupt(Table::Chain, PARAMETERS, error)))
}

/// The supply on record.
pub fn supply<V: View + ?Sized>(view: &V) -> Result<Supply, Error<V::Error>> {
    read(view, Table::Chain, SUPPLY)?.ok_or_else(|| StateError::missing(Table::Chain, SUPPLY).into())
}

/// What the state holds under an account's name.
pub fn account<V: View + ?Sized>(view: &V, name: &Name) -> Result<Account, Error<V::Error>> {
    let mut record = Vec::new();
    if !view.get(Table::Accounts, name.as_bytes(), &mut record).map_err(Error::View)? {
        return Ok(Account::default());
    }
    Ok(Account::from_record(name.as_bytes(), &record)?)
}

/// What the state remembers of an id; `None`: its sender has not used it, as far back as ids are remembered.
pub fn remembered_id<V: View + ?Sized>(
    view: &V,
    sender: &Name,
    id: &Id,
) -> Result<Option<RememberedId>, Error<V::Error>> {
    read(view, Table::Ids, &id_key(sender, id))
}

/// The validators, slashed ones included, in the order of their ids.
pub fn validators<V: View + ?Sized>(view: &V) -> Result<Vec<(ValidatorId, ValidatorRecord)>, Error<V::Error>> {
    scan(view, Table::Validators, |key, record| {
        let id = std::str::from_utf8(key).ok().and_then(|text| ValidatorId::new(text).ok());
        let id = id.ok_or_else(|| StateError::corrupt(Table::Validators, key, "no validator's id"))?;
        Ok((id, from_record(Table::Validators, key, record)?))
    })
}

/// The last record of each partition that is in a block, by partition.
pub fn coverage<V: View + ?Sized>(view: &V) -> Result<Vec<(i32, Covered)>, Error<V::Error>> {
    scan(view, Table::Coverage, |key, record| {
        let partition = key.try_into().map(i32::from_be_bytes);
        let partition = partition.map_err(|_| StateError::corrupt(Table::Coverage, key, "no partition"))?;
        Ok((partition, from_record(Table::Coverage, key, record)?))
    })
}

/// A whole table, decoded.
fn scan<V: View + ?Sized, T>(
    view: &V,
    table: Table,
    decode: impl Fn(&[u8], &[u8]) -> Result<T, StateError>,
) -> Result<Vec<T>, Error<V::Error>> {
    let (mut all, mut broken) = (Vec::new(), None);
    view.scan(table, &mut |key, record| match decode(key, record) {
        Ok(one) => all.push(one),
        Err(error) => broken = broken.take().or(Some(error)),
    })
    .map_err(Error::View)?;
    broken.map_or(Ok(all), |error| Err(error.into()))
}
