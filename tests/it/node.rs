//! What whoever runs a node meets: starts, ends, disks, logs, figures, and development.
//!
//! - `compiler`: the process that compiles, and what it cannot do
//! - `dev`: hot reload, broken builds, templates
//! - `durability`: kill -9 at any moment
//! - `events`: what the platform tells its operator: who was served, what was cut off, what did not go out
//! - `full_disk`: no room, and damage
//! - `observability`: figures, logs, health
//! - `ready`: code that is not ready: after an upgrade of the engine, or where the folder of compiled code was removed
//! - `restart`: every write that the API has survives a start, or is refused, or said to be lost
//! - `secrets`: what a copy of the data directory gives away

mod compiler;
mod dev;
mod durability;
mod events;
mod full_disk;
mod observability;
mod ready;
mod restart;
mod secrets;
