//! The embedded stack: the whole pipeline on one machine, on SQLite and files, without any account.
//!
//! [`stack`] opens it; [`up`] runs everything; [`worker`] is one worker of the GPU lane. The rest are its
//! clients: [`submit`], [`status`], [`list`], [`show`] and [`parked`].

pub(crate) mod drop_folder;
pub(crate) mod list;
pub(crate) mod parked;
mod rows;
pub(crate) mod show;
pub(crate) mod stack;
pub(crate) mod status;
pub(crate) mod submit;
pub(crate) mod up;
mod words;
pub(crate) mod worker;
