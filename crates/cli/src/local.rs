//! The local stack: the whole pipeline on one machine, on SQLite and files, without any account.
//!
//! [`stack`] opens it; [`up`] runs everything, with a [`drop_folder`], and reports its [`health`]; [`worker`] is one worker of the GPU lane. Its
//! clients are in [`crate::client`].

pub(crate) mod drop_folder;
pub(crate) mod health;
mod parts;
pub(crate) mod prune;
pub(crate) mod stack;
pub(crate) mod up;
pub(crate) mod worker;
