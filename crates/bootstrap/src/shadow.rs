//! The shadow's bundle in a process of its own: what crashes, hangs or fills its memory takes nothing with it.
//!
//! The process that settles photos has a [`ShadowWatch`]: it reads the stack's rollout now and then, and while that
//! names a shadow it starts one process, which the machine runs only when it has nothing else to do. They talk in lines:
//! a request in JSON on standard input, and for each one line of answer ([`Answer`]). One photo at a time.

mod answer;
mod process;
mod watch;

pub use answer::Answer;
pub use process::{ShadowProcess, run_shadow};
pub use watch::{ShadowTimes, ShadowWatch};
