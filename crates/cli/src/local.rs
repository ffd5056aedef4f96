//! The local stack: the whole pipeline on one machine, on SQLite and files, without any account.
//!
//! [`up`] runs everything, with a [`drop_folder`], and reports its [`health`]; [`worker`] is one worker of the GPU lane. What
//! opens it is [`walkaround_client::Stack`].

pub(crate) mod drop_folder;
mod health;
mod own_program;
mod parts;
pub(crate) mod prune;
mod shadow;
pub(crate) mod up;
pub(crate) mod worker;
