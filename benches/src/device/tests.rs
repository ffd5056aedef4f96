//! The report of a check on a GPU.

use super::*;

fn report(both: u64, either: u64, memory: [u64; 2]) -> BundleReport {
    let agreement = Agreement {
        both,
        either,
        cpu: 1,
        gpu: 1,
    };
    let class = ClassReport {
        agreement,
        wanted: IOU_MIN,
    };
    let reading = |resident_mib| MemoryReading {
        photos: 1,
        resident_mib,
        gpu_mib: None,
    };
    BundleReport {
        bundle: "demo 1".into(),
        classes: BTreeMap::from([("dent".to_owned(), class)]),
        gate_max: 0.0,
        rates: vec![(1, 10.0)],
        memory: memory.map(reading).to_vec(),
    }
}

#[test]
fn masks_that_differ_and_memory_that_grows_are_told() {
    assert_eq!(report(9_990, 10_000, [100, 110]).failures(), Vec::<String>::new());
    let told = report(9_989, 10_000, [100, 111]).failures();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("dent") && told[1].contains("memory"), "{told:?}");
    let mut nothing = report(0, 0, [1, 1]);
    nothing.classes.values_mut().for_each(|c| c.agreement.cpu = 0);
    assert!(nothing.failures()[0].contains("no findings"));
}

#[test]
fn masks_of_a_class_are_compared_as_one() {
    let size = Size::new(4, 1);
    let mask = |row: [u8; 4]| rle::encode_mask(size, &row);
    let mut agreement = Agreement::default();
    let (left, right, other) = (mask([1, 1, 0, 0]), mask([0, 0, 1, 0]), mask([0, 1, 1, 1]));
    // Two findings on one device, one over both of them on the other.
    agreement.add(size, &[&left, &right], &[&other]).unwrap();
    assert_eq!((agreement.both, agreement.either), (2, 4));
    assert_eq!((agreement.cpu, agreement.gpu), (2, 1));
}

#[test]
fn the_answer_of_the_driver_is_read() {
    let read = Gpu::parse("NVIDIA H100, 80GB, 512, 81559\nsecond, 1, 2\n").unwrap();
    assert_eq!(read.name, "NVIDIA H100, 80GB");
    assert_eq!((read.used_mib, read.total_mib), (512, 81_559));
    assert_eq!(Gpu::parse(""), None);
    assert_eq!(Gpu::parse("No devices were found"), None);
}
