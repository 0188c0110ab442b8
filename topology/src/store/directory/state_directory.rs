//! The directory that holds an application's state on this machine.
//!
//! ```text
//! <state-dir>/<application.id>/
//!   LOCK                locked by the process that uses the directory; holds its number
//!   instance            this instance's id, made once
//!   <task>/             one per task
//!     LOCK              locked by the process that has the task's stores open
//!     rocksdb/          its stores on the disk
//!     rocksdb.damaged/  stores that were set aside, if any were: nothing reads them
//! ```

#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::file_lock::FileLock;
use crate::store::error::{Error, Kind, Result};
use crate::store::is_plain_name;
use crate::store::simulated::{self, Disk};

/// The file that is locked, in the application's directory and in each task's.
pub(crate) const LOCK: &str = "LOCK";
/// The file with the instance's id.
pub(crate) const INSTANCE: &str = "instance";

/// The state of one application on this machine, locked for this process until dropped.
///
/// ```
/// use topology::store::InstanceId;
/// use topology::store::{Kind, Medium, StoreOptions, Resources, Spec, StateDirectory, Stores};
///
/// # let root = tempfile::tempdir().unwrap();
/// # let root = root.path();
/// # if !Medium::RocksDb.is_built() {
/// #     return Ok(());
/// # }
/// let state = StateDirectory::open(root, "counter", InstanceId::new(1_700_000_000_000, 7))?;
/// let error = StateDirectory::open(root, "counter", InstanceId::new(1_700_000_000_000, 8)).unwrap_err();
/// assert_eq!(error.kind(), Kind::Locked);
///
/// let specs = vec![Spec::new("counts", Medium::RocksDb)?];
/// let resources = Resources::start(StoreOptions::default())?; // one for all tasks of the process
/// let stores = Stores::open(specs, state.lock_task("count_0")?, &resources, [0; 32])?;
/// assert_eq!(state.tasks()?, ["count_0"]);
/// stores.close()?;
/// # Ok::<(), topology::store::Error>(())
/// ```
#[derive(Debug)]
pub struct StateDirectory {
    path: PathBuf,
    instance_id: InstanceId,
    /// Whether directories of tasks may be made.
    may_make: bool,
    /// Where it lies in place of `path`, in a simulation.
    simulated: Option<Disk>,
    _lock: Option<FileLock>,
}

impl StateDirectory {
    /// On the disk of a simulated machine.
    pub(crate) fn on(disk: Disk, instance_id: InstanceId) -> Self {
        Self { path: PathBuf::from("simulated"), instance_id, may_make: true, simulated: Some(disk), _lock: None }
    }

    /// Makes or opens `<root>/<application_id>` and locks it. `new_instance_id` is used if the directory has no
    /// instance id yet.
    pub fn open(root: &Path, application_id: &str, new_instance_id: InstanceId) -> Result<Self> {
        let path = root.join(plain("application id", application_id)?);
        make_directory(&path)?;
        let lock = lock_root(root, &path, true)?;
        let instance_id = match read_instance_id(&path) {
            Ok(Some(instance_id)) => instance_id,
            Ok(None) => make_instance_id(&path, new_instance_id)?,
            Err(error) if error.kind() == Kind::Corruption => {
                let path = path.join(INSTANCE);
                fs::rename(&path, path.with_extension("damaged")).map_err(|error| Error::io("move", &path, &error))?;
                tracing::warn!("set aside, and a new instance id is made: {error}");
                make_instance_id(path.parent().unwrap_or(&path), new_instance_id)?
            }
            Err(error) => return Err(error),
        };
        Ok(Self { path, instance_id, may_make: true, simulated: None, _lock: Some(lock) })
    }

    /// Opens `<root>/<application_id>` and locks it, if an instance has used it; else it is an error of
    /// [`Kind::Missing`]. Nothing is made, by this and by what is done with the result: a mistyped name leaves no
    /// trace.
    pub fn open_existing(root: &Path, application_id: &str) -> Result<Self> {
        let path = root.join(plain("application id", application_id)?);
        let missing = || {
            let root = root.display();
            Error::new(
                Kind::Missing,
                format!(
                    "there is no state of application {application_id} in {root}: it never ran there; check both names"
                ),
            )
        };
        if !path.join(LOCK).exists() {
            return Err(missing());
        }
        let lock = lock_root(root, &path, false)?;
        let instance_id = read_instance_id(&path)?.ok_or_else(missing)?;
        Ok(Self { path, instance_id, may_make: false, simulated: None, _lock: Some(lock) })
    }

    /// Where it is, the application's part included.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The id that this instance keeps for as long as the directory exists.
    pub fn instance_id(&self) -> &InstanceId {
        &self.instance_id
    }

    /// The tasks that have a directory, sorted by name.
    pub fn tasks(&self) -> Result<Vec<String>> {
        if let Some(disk) = &self.simulated {
            return Ok(disk.tasks());
        }
        let failed = |error| Error::io("list", &self.path, &error);
        let mut tasks = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_dir() {
                tasks.extend(entry.file_name().into_string().ok().filter(|name| is_plain_name(name, NAME_BYTES_MAX)));
            }
        }
        tasks.sort_unstable();
        Ok(tasks)
    }

    /// Makes or opens a task's directory and locks it. It stays locked until the returned value is dropped. (After
    /// [`StateDirectory::open_existing`] it only opens.)
    pub fn lock_task(&self, task: &str) -> Result<TaskDirectory> {
        let path = self.path.join(plain("task", task)?);
        if let Some(disk) = &self.simulated {
            return Ok(TaskDirectory { path, may_make: true, lock: Lock::Simulated(disk.lock(task)?) });
        }
        if self.may_make {
            make_directory(&path)?;
        } else if !path.join(LOCK).exists() {
            let message = format!("there is no state of task {task} in {}: check both names", self.path.display());
            return Err(Error::new(Kind::Missing, message));
        }
        let lock = lock(&path.join(LOCK), self.may_make, |pid| {
            format!("task {task} in {} is in use{pid}: its stores must be closed there first", self.path.display())
        })?;
        Ok(TaskDirectory { path, may_make: self.may_make, lock: Lock::File(lock) })
    }

    /// Deletes a task's directory with all its state, which returns from the changelogs when the task runs again.
    pub fn delete_task(&self, task: &str) -> Result<()> {
        let locked = self.lock_task(task)?;
        if let Some(disk) = &self.simulated {
            disk.delete(task);
            return Ok(());
        }
        fs::remove_dir_all(locked.path()).map_err(|error| Error::io("delete", locked.path(), &error))
    }
}

/// A task's directory, locked until dropped.
#[derive(Debug)]
pub struct TaskDirectory {
    path: PathBuf,
    may_make: bool,
    lock: Lock,
}

/// What keeps others out until it is dropped.
#[derive(Debug)]
enum Lock {
    File(#[allow(dead_code, reason = "held, not read")] FileLock),
    Simulated(simulated::TaskLock),
}

impl TaskDirectory {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its files, where the disk is a simulated one.
    pub(in crate::store) fn simulated(&self) -> Option<&simulated::TaskLock> {
        match &self.lock {
            Lock::File(_) => None,
            Lock::Simulated(lock) => Some(lock),
        }
    }

    /// Whether it may be changed; not after [`StateDirectory::open_existing`].
    pub(crate) fn may_make(&self) -> bool {
        self.may_make
    }

    /// Whether a call has found its stores damaged.
    pub(crate) fn is_damaged(&self) -> bool {
        self.path.join("rocksdb.damage").exists()
    }
}

/// Names an instance of an application: when it was made, and random bits. It sorts by age, so that a newcomer comes
/// last when a group hands out partitions in the order of its members' names.
///
/// ```
/// use topology::store::InstanceId;
///
/// let older = InstanceId::new(1_700_000_000_000, u64::MAX);
/// assert_eq!(older.as_str(), "1700000000000-ffffffffffffffff");
/// assert!(older < InstanceId::new(1_700_000_000_001, 0));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(String);

impl InstanceId {
    /// An id for an instance made at this time (ms since 1970) with these random bits.
    pub fn new(created_at_ms: i64, random: u64) -> Self {
        Self(format!("{:013}-{random:016x}", created_at_ms.clamp(0, 9_999_999_999_999)))
    }

    /// The id as text, fit for names of clients.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let (time, random) = text.split_once('-')?;
        let well_formed = time.len() == 13
            && time.bytes().all(|byte| byte.is_ascii_digit())
            && random.len() == 16
            && random.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        well_formed.then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const NAME_BYTES_MAX: usize = 200;

fn plain<'a>(what: &str, name: &'a str) -> Result<&'a str> {
    if is_plain_name(name, NAME_BYTES_MAX) {
        return Ok(name);
    }
    let advice = "use 1 to 200 of the characters a-z A-Z 0-9 . _ -";
    Err(Error::new(Kind::Invalid, format!("{name:?} cannot be the name of a directory, as an {what} must: {advice}")))
}

fn make_directory(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|error| Error::io("make directory", path, &error))
}

fn lock_root(root: &Path, path: &Path, may_make: bool) -> Result<FileLock> {
    lock(&path.join(LOCK), may_make, |pid| {
        let root = root.display();
        format!("state directory {root} is in use by another process{pid}: stop it or give another --state-dir")
    })
}

/// Locks a file, and writes this process's number into it for a process that finds it locked. The system unlocks it
/// when the process ends, however it ends.
fn lock(path: &Path, may_make: bool, in_use: impl FnOnce(&str) -> String) -> Result<FileLock> {
    let open = OpenOptions::new().read(true).write(true).create(may_make).truncate(false).open(path);
    let file = open.map_err(|error| Error::io("open", path, &error))?;
    let lock = match FileLock::try_new(file).map_err(|error| Error::io("lock", path, &error))? {
        Ok(lock) => lock,
        Err(file) => {
            let mut text = String::new();
            let _ = file.take(20).read_to_string(&mut text);
            let pid = text.trim().parse::<u32>().map_or(String::new(), |pid| format!(" (pid {pid})"));
            return Err(Error::new(Kind::Locked, in_use(&pid)));
        }
    };
    let note = lock.file().set_len(0).and_then(|()| writeln!(lock.file(), "{}", std::process::id()));
    note.map_err(|error| Error::io("write to", path, &error))?;
    Ok(lock)
}

/// The id in the file, if there is one.
fn read_instance_id(directory: &Path) -> Result<Option<InstanceId>> {
    let path = directory.join(INSTANCE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", &path, &error)),
    };
    InstanceId::parse(text.trim_end()).map(Some).ok_or_else(|| {
        let path = path.display();
        Error::new(Kind::Corruption, format!("{path} does not hold an instance id: delete it, the next run makes one"))
    })
}

/// Written under another name and renamed, so that the file is whole or not there.
fn make_instance_id(directory: &Path, new: InstanceId) -> Result<InstanceId> {
    let path = directory.join(INSTANCE);
    write_whole(directory, &path, new.as_str()).map_err(|error| Error::io("write", &path, &error))?;
    Ok(new)
}

fn write_whole(directory: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    let unfinished = path.with_extension("new");
    let mut file = File::create(&unfinished)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    // The rename itself must survive too.
    File::open(directory)?.sync_all()
}
