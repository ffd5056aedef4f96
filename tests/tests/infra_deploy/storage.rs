//! What infra/storage.yaml makes, property by property.

use crate::place::{PREFIX, Place};
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use walkaround_aws::{KeyNames, TABLE};

pub(crate) const BUCKETS: [&str; 4] = ["PhotosBucket", "ResultsBucket", "BundlesBucket", "LogsBucket"];

/// The template with a resource that cannot be made, after everything that outlives its stack.
pub(crate) fn template_that_fails() -> String {
    let path = walkaround_tests::places::root().join("infra/storage.yaml");
    let template = std::fs::read_to_string(path).unwrap();
    let planted = "  Planted:
    Type: AWS::Lambda::Url
    DependsOn: [PhotosBucket, ResultsBucket, BundlesBucket, LogsBucket, Table, IntakeDeadQueue, SegmentationDeadQueue]
    Properties: {AuthType: AWS_IAM, TargetFunctionArn: nobody}
";
    template.replacen("\nOutputs:\n", &format!("{planted}\nOutputs:\n"), 1)
}

/// Names of what there is of the stack's buckets, tables and queues.
pub(crate) fn left(place: &Place) -> Vec<String> {
    let (aws, runtime) = (&place.aws, &place.runtime);
    let buckets = runtime.block_on(aws.s3.list_buckets().send()).unwrap();
    let tables = runtime.block_on(aws.dynamodb.list_tables().send()).unwrap();
    let queues = runtime.block_on(aws.sqs.list_queues().send()).unwrap();
    let buckets = buckets
        .buckets()
        .iter()
        .filter_map(|b| b.name().map(str::to_owned));
    let all = buckets
        .chain(tables.table_names().iter().cloned())
        .chain(queues.queue_urls().iter().cloned());
    all.filter(|name| name.contains(PREFIX)).collect()
}

/// Buckets are encrypted by a key of S3's own.
pub(crate) fn buckets_are_encrypted(place: &Place) {
    for output in BUCKETS {
        let call = place.aws.s3.get_bucket_encryption().bucket(place.output(output));
        let answer = place.runtime.block_on(call.send()).unwrap();
        let rules = answer.server_side_encryption_configuration().unwrap().rules();
        let by_default = rules[0].apply_server_side_encryption_by_default().unwrap();
        assert_eq!(by_default.sse_algorithm().as_str(), "AES256", "{output}");
    }
}

/// Buckets are closed to the public, have no ACLs, and want TLS.
pub(crate) fn buckets_are_private(place: &Place) {
    for output in BUCKETS {
        let name = place.output(output);
        let s3 = &place.aws.s3;
        let block = place
            .runtime
            .block_on(s3.get_public_access_block().bucket(name).send());
        let block = block.unwrap().public_access_block_configuration.unwrap();
        let closed = [
            block.block_public_acls,
            block.block_public_policy,
            block.ignore_public_acls,
            block.restrict_public_buckets,
        ];
        assert_eq!(closed, [Some(true); 4], "{output}");
        let owner = place
            .runtime
            .block_on(s3.get_bucket_ownership_controls().bucket(name).send());
        let owner = owner.unwrap().ownership_controls.unwrap();
        assert_eq!(
            owner.rules()[0].object_ownership().as_str(),
            "BucketOwnerEnforced",
            "{output}"
        );
        let policy = place.runtime.block_on(s3.get_bucket_policy().bucket(name).send());
        let policy: Value = serde_json::from_str(policy.unwrap().policy().unwrap()).unwrap();
        let first = &policy["Statement"][0];
        assert_eq!(
            (
                first["Effect"].as_str(),
                first["Condition"]["Bool"]["aws:SecureTransport"].as_str()
            ),
            (Some("Deny"), Some("false")),
            "{output}"
        );
    }
}

/// Which buckets keep versions.
pub(crate) fn versioned(place: &Place) -> Vec<&'static str> {
    let is = |output: &&str| {
        let call = place.aws.s3.get_bucket_versioning().bucket(place.output(output));
        let answer = place.runtime.block_on(call.send()).unwrap();
        answer.status().is_some_and(|s| s.as_str() == "Enabled")
    };
    BUCKETS.into_iter().filter(is).collect()
}

/// Which buckets let objects go.
pub(crate) fn with_lifecycle(place: &Place) -> Vec<&'static str> {
    let has = |output: &&str| {
        let call = place.aws.s3.get_bucket_lifecycle_configuration();
        place
            .runtime
            .block_on(call.bucket(place.output(output)).send())
            .is_ok()
    };
    BUCKETS.into_iter().filter(has).collect()
}

/// Queues of the photo bucket's notification, with their events.
pub(crate) fn notified(place: &Place) -> BTreeMap<String, Vec<String>> {
    let call = place.aws.s3.get_bucket_notification_configuration();
    let call = call.bucket(place.output("PhotosBucket"));
    let answer = place.runtime.block_on(call.send()).unwrap();
    let queues = answer.queue_configurations().iter();
    let pairs = queues.map(|q| {
        let events = q.events().iter().map(|e| e.as_str().to_owned()).collect();
        (q.queue_arn().to_owned(), events)
    });
    pairs.collect()
}

/// Attributes of the queue of an output.
pub(crate) fn queue(place: &Place, output: &str) -> HashMap<String, String> {
    let call = place
        .aws
        .sqs
        .get_queue_attributes()
        .queue_url(place.output(output));
    let call = call.attribute_names(QueueAttributeName::All);
    let answer = place.runtime.block_on(call.send()).unwrap();
    let attributes = answer.attributes.unwrap_or_default().into_iter();
    attributes.map(|(k, v)| (k.as_str().to_owned(), v)).collect()
}

/// Times, dead letters and encryption of the queues.
pub(crate) fn queues_are_as_written(place: &Place) {
    for (name, visibility) in [("Intake", "720"), ("Segmentation", "120")] {
        let live = queue(place, &format!("{name}QueueUrl"));
        let dead = queue(place, &format!("{name}DeadQueueUrl"));
        assert_eq!(live["VisibilityTimeout"], visibility);
        assert_eq!(
            (&*live["MessageRetentionPeriod"], &*dead["MessageRetentionPeriod"]),
            ("345600", "1209600")
        );
        assert_eq!(live["ReceiveMessageWaitTimeSeconds"], "20");
        assert_eq!(
            (&*live["SqsManagedSseEnabled"], &*dead["SqsManagedSseEnabled"]),
            ("true", "true")
        );
        let redrive: Value = serde_json::from_str(&live["RedrivePolicy"]).unwrap();
        assert_eq!(redrive["deadLetterTargetArn"], dead["QueueArn"]);
        assert_eq!(
            redrive["maxReceiveCount"].to_string(),
            walkaround_domain::DELIVERIES_MAX.to_string()
        );
    }
}

/// The table has the keys and indexes that the code works with.
pub(crate) fn table_is_the_codes(place: &Place) {
    let call = place.aws.dynamodb.describe_table();
    let answer = place
        .runtime
        .block_on(call.table_name(place.output("TableName")).send());
    let table = answer.unwrap().table.unwrap();
    assert_eq!(key_of(table.key_schema()), key(TABLE.key));
    let made: BTreeMap<String, Vec<String>> = table
        .global_secondary_indexes()
        .iter()
        .map(|i| {
            let kind = i.projection().unwrap().projection_type().unwrap();
            assert_eq!(kind.as_str(), "KEYS_ONLY");
            (i.index_name().unwrap().to_owned(), key_of(i.key_schema()))
        })
        .collect();
    let expected = TABLE.indexes.iter().map(|i| (i.name.to_owned(), key(i.key)));
    assert_eq!(made, expected.collect());
    let billing = table.billing_mode_summary().and_then(|b| b.billing_mode());
    assert_eq!(billing.unwrap().as_str(), "PAY_PER_REQUEST");
}

fn key(names: KeyNames) -> Vec<String> {
    vec![names.partition.to_owned(), names.sort.to_owned()]
}

fn key_of(schema: &[aws_sdk_dynamodb::types::KeySchemaElement]) -> Vec<String> {
    schema.iter().map(|k| k.attribute_name().to_owned()).collect()
}

/// Whether items go by themselves, and whether the table can be taken back in time.
pub(crate) fn ttl_and_recovery(place: &Place) -> (bool, bool) {
    let (db, name) = (&place.aws.dynamodb, place.output("TableName"));
    let ttl = place
        .runtime
        .block_on(db.describe_time_to_live().table_name(name).send());
    let ttl = ttl.unwrap().time_to_live_description.unwrap();
    let back = place
        .runtime
        .block_on(db.describe_continuous_backups().table_name(name).send());
    let back = back.unwrap().continuous_backups_description.unwrap();
    let back = back
        .point_in_time_recovery_description()
        .and_then(|d| d.point_in_time_recovery_status());
    (
        ttl.time_to_live_status().is_some_and(|s| s.as_str() == "ENABLED"),
        back.is_some_and(|s| s.as_str() == "ENABLED"),
    )
}

/// The key of the topic of events.
pub(crate) fn topic_key(place: &Place) -> Option<String> {
    let call = place
        .aws
        .sns
        .get_topic_attributes()
        .topic_arn(place.output("TopicArn"));
    let answer = place.runtime.block_on(call.send()).unwrap();
    answer.attributes?.remove("KmsMasterKeyId")
}
