//! Turns `proto/` into Rust without `protoc`: protox compiles, prost writes the types, pbjson their JSON
//! mapping.
#![allow(
    clippy::print_stdout,
    reason = "cargo reads instructions from standard output"
)]

use prost::Message;
use std::error::Error;
use std::path::PathBuf;

const FILES: [&str; 4] = [
    "walkaround/v1/inspect_photo.proto",
    "walkaround/v1/inspection.proto",
    "walkaround/v1/heartbeat.proto",
    "walkaround/v1/lane.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(FILES, ["proto"])?;
    prost_build::Config::new()
        .btree_map(["."])
        .extern_path(".google.protobuf.Timestamp", "crate::moment::WireTime")
        .compile_fds(files.clone())?;
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    pbjson_build::Builder::new()
        .register_descriptors(&files.encode_to_vec())?
        .btree_map(["."])
        .preserve_proto_field_names()
        .ignore_unknown_fields()
        .out_dir(out)
        .build(&[".walkaround"])?;
    Ok(())
}
