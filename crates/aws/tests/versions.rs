//! Photos in a bucket that keeps versions: the version that a message names is the one that is read.

mod common;

use aws_sdk_s3::types::{BucketVersioningStatus, CreateBucketConfiguration, VersioningConfiguration};
use walkaround_aws::S3Blobs;
use walkaround_emulators::{Ministack, REGION};
use walkaround_ports::{BlobAddress, Blobs, PortErrorKind};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_version_is_read_as_it_was() {
    let emulator = Ministack::start();
    let aws = common::aws(emulator.endpoint()).await;
    let place = CreateBucketConfiguration::builder().location_constraint(REGION.into());
    let create = aws.s3.create_bucket().bucket("photos");
    create
        .create_bucket_configuration(place.build())
        .send()
        .await
        .expect("a bucket");
    let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled);
    let versioning = aws.s3.put_bucket_versioning().bucket("photos");
    versioning
        .versioning_configuration(on.build())
        .send()
        .await
        .expect("versions");
    let mut versions = Vec::new();
    for bytes in ["first", "second"] {
        let put = aws.s3.put_object().bucket("photos").key("a.jpg");
        let put = put
            .body(bytes.as_bytes().to_vec().into())
            .send()
            .await
            .expect("it is put");
        versions.push(put.version_id().expect("it has a version").to_owned());
    }
    let blobs = S3Blobs::new(aws.s3.clone());
    let at = BlobAddress {
        bucket: "photos".into(),
        key: "a.jpg".into(),
    };
    for (version, bytes) in versions.iter().zip(["first", "second"]) {
        assert_eq!(
            blobs.get_version(&at, version, 100).await.expect("it is there"),
            bytes.as_bytes()
        );
    }
    assert_eq!(blobs.get(&at, 100).await.expect("it is there"), b"second");
    let too_large = blobs
        .get_version(&at, &versions[0], 4)
        .await
        .expect_err("five bytes");
    assert_eq!(too_large.kind, PortErrorKind::TooLarge);
}
