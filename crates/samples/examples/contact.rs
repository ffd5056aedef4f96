//! Writes samples to a folder for a look: `cargo run --release --example contact -- DIR COUNT`.

use std::error::Error;
use std::path::PathBuf;

use walkaround_samples::{Kind, SampleSpec, draw};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().ok_or("usage: contact DIR COUNT")?);
    let count: u64 = args.next().map_or(Ok(3), |count| count.parse())?;
    std::fs::create_dir_all(&folder)?;
    let kinds = [
        ("clean", Kind::Clean),
        ("scratch", Kind::Scratch),
        ("dent", Kind::Dent),
        ("spacing", Kind::Spacing),
        ("mixed", Kind::Mixed),
        ("dark", Kind::Dark),
        ("blurred", Kind::Blurred),
    ];
    let mut spent = std::time::Duration::ZERO;
    for (offset, (name, kind)) in kinds.into_iter().enumerate() {
        for seed in 0..count {
            let seed = seed * 10 + offset as u64;
            let start = std::time::Instant::now();
            let sample = draw(&SampleSpec {
                seed,
                kind,
                ..SampleSpec::default()
            });
            spent += start.elapsed();
            sample
                .picture
                .save(folder.join(format!("{name}-{seed:03}.jpg")))?;
            for damage in sample.damages {
                damage
                    .mask
                    .save(folder.join(format!("{name}-{seed:03}.{}.mask.png", damage.class)))?;
            }
        }
    }
    std::fs::write(
        folder.join("speed.txt"),
        format!("{spent:?} for {} samples\n", count * 7),
    )?;
    Ok(())
}
