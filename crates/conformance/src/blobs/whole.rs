//! Blobs are there whole, once, and as they were written.

use super::under_test::{BlobsUnderTest, PLENTY, TYPE};
use crate::suite::{Broken, Outcome, ensure};
use sha2::{Digest, Sha256};
use walkaround_ports::{PortErrorKind, PutOutcome};

pub(super) async fn blob_reads_back_whole(t: BlobsUnderTest) -> Outcome {
    let at = t.at("inspections/4f/overlay.jpg");
    let bytes: Vec<u8> = (0..=255).collect();
    let put = t.blobs.put_if_absent(&at, &bytes, "image/jpeg").await?;
    ensure!(put == PutOutcome::Created, "put: {put:?}");
    let digest: [u8; 32] = Sha256::digest(&bytes).into();
    let meta = t.blobs.head(&at).await?;
    let known = meta.as_ref().map(|m| (m.bytes, m.sha256));
    ensure!(known == Some((256, Some(digest))), "head: {meta:?}");
    let got = t.blobs.get(&at, PLENTY).await?;
    ensure!(got == bytes, "{} other bytes", got.len());
    Ok(())
}

pub(super) async fn large_blob_reads_back_whole(t: BlobsUnderTest) -> Outcome {
    let at = t.at("large.bin");
    let bytes: Vec<u8> = (0..9_u32 << 18).flat_map(u32::to_le_bytes).collect();
    t.blobs.put_if_absent(&at, &bytes, TYPE).await?;
    let got = t.blobs.get(&at, PLENTY).await?;
    ensure!(got == bytes, "{} bytes came of {}", got.len(), bytes.len());
    let folder = tempfile::tempdir()?;
    let into = folder.path().join("large.bin");
    t.blobs
        .download(&at, &Sha256::digest(&bytes).into(), &into)
        .await?;
    ensure!(std::fs::read(&into)? == bytes, "the download differs");
    Ok(())
}

pub(super) async fn empty_blob_is_a_blob(t: BlobsUnderTest) -> Outcome {
    let at = t.at("empty");
    let put = t.blobs.put_if_absent(&at, b"", TYPE).await?;
    ensure!(put == PutOutcome::Created, "put: {put:?}");
    let size = t.blobs.head(&at).await?.map(|m| m.bytes);
    ensure!(size == Some(0), "head: {size:?}");
    let got = t.blobs.get(&at, 0).await?;
    ensure!(got.is_empty(), "{} bytes from nowhere", got.len());
    Ok(())
}

pub(super) async fn absent_blob_is_not_found(t: BlobsUnderTest) -> Outcome {
    t.blobs.put_if_absent(&t.at("there/it/is"), b"x", TYPE).await?;
    let folder = tempfile::tempdir()?;
    for key in ["absent", "there", "there/it", "there/it/is/not"] {
        let at = t.at(key);
        let head = t.blobs.head(&at).await?;
        ensure!(head.is_none(), "head of `{key}`: {head:?}");
        let kind = t.blobs.get(&at, PLENTY).await.err().map(|e| e.kind);
        ensure!(kind == Some(PortErrorKind::NotFound), "get of `{key}`: {kind:?}");
        let into = folder.path().join("file");
        let kind = t.blobs.download(&at, &[0; 32], &into).await.err().map(|e| e.kind);
        ensure!(
            kind == Some(PortErrorKind::NotFound),
            "download of `{key}`: {kind:?}"
        );
        ensure!(!into.exists(), "the download of `{key}` left a file");
    }
    Ok(())
}

pub(super) async fn second_write_changes_nothing(t: BlobsUnderTest) -> Outcome {
    let at = t.at("once");
    t.blobs.put_if_absent(&at, b"first", TYPE).await?;
    let same = t.blobs.put_if_absent(&at, b"first", TYPE).await?;
    ensure!(same == PutOutcome::Identical, "the same again: {same:?}");
    // As long, and longer: neither size nor place decides.
    for bytes in ["other", "first and more"] {
        let other = t.blobs.put_if_absent(&at, bytes.as_bytes(), TYPE).await?;
        ensure!(other == PutOutcome::Conflict, "`{bytes}`: {other:?}");
    }
    let got = t.blobs.get(&at, PLENTY).await?;
    ensure!(
        got == b"first",
        "it changed to {:?}",
        String::from_utf8_lossy(&got)
    );
    let digest: [u8; 32] = Sha256::digest(b"first").into();
    let kept = t.blobs.head(&at).await?.and_then(|m| m.sha256);
    ensure!(kept == Some(digest), "the digest changed");
    Ok(())
}

/// What twenty writers of one key are answered; writer `n` writes `bytes(n)`.
async fn race(t: &BlobsUnderTest, bytes: fn(usize) -> Vec<u8>) -> Result<Vec<PutOutcome>, Broken> {
    let mut writers = Vec::new();
    for writer in 0..20 {
        let (blobs, at) = (t.blobs.clone(), t.at("race"));
        writers.push(tokio::spawn(async move {
            blobs.put_if_absent(&at, &bytes(writer), TYPE).await
        }));
    }
    let mut answers = Vec::new();
    for writer in writers {
        answers.push(writer.await??);
    }
    Ok(answers)
}

pub(super) async fn twenty_writers_have_one_winner(t: BlobsUnderTest) -> Outcome {
    let bytes = |writer: usize| vec![u8::try_from(writer).unwrap_or_default(); 100_000];
    let answers = race(&t, bytes).await?;
    let winners: Vec<usize> = (0..20).filter(|&w| answers[w] == PutOutcome::Created).collect();
    let others = answers.iter().filter(|&&a| a == PutOutcome::Conflict).count();
    ensure!(winners.len() == 1 && others == 19, "answers: {answers:?}");
    let got = t.blobs.get(&t.at("race"), PLENTY).await?;
    ensure!(got == bytes(winners[0]), "not the winner's bytes");
    Ok(())
}

pub(super) async fn twenty_writers_of_the_same_agree(t: BlobsUnderTest) -> Outcome {
    let answers = race(&t, |_| vec![7; 100_000]).await?;
    let created = answers.iter().filter(|&&a| a == PutOutcome::Created).count();
    let same = answers.iter().filter(|&&a| a == PutOutcome::Identical).count();
    ensure!(created == 1 && same == 19, "answers: {answers:?}");
    Ok(())
}

pub(super) async fn get_is_bounded(t: BlobsUnderTest) -> Outcome {
    let at = t.at("bounded");
    t.blobs.put_if_absent(&at, &[7; 1000], TYPE).await?;
    let got = t.blobs.get(&at, 1000).await?;
    ensure!(got.len() == 1000, "{} bytes", got.len());
    for bytes_max in [0, 999] {
        let kind = t.blobs.get(&at, bytes_max).await.err().map(|e| e.kind);
        ensure!(
            kind == Some(PortErrorKind::TooLarge),
            "with at most {bytes_max} bytes: {kind:?}"
        );
    }
    Ok(())
}

pub(super) async fn download_checks_the_digest(t: BlobsUnderTest) -> Outcome {
    let at = t.at("weights.onnx");
    t.blobs.put_if_absent(&at, b"weights", TYPE).await?;
    let folder = tempfile::tempdir()?;
    let into = folder.path().join("weights.onnx");
    let kind = t.blobs.download(&at, &[7; 32], &into).await.err().map(|e| e.kind);
    ensure!(
        kind == Some(PortErrorKind::Corrupt),
        "with another digest: {kind:?}"
    );
    let left = std::fs::read_dir(folder.path())?.count();
    ensure!(left == 0, "{left} files were left behind");
    t.blobs
        .download(&at, &Sha256::digest(b"weights").into(), &into)
        .await?;
    ensure!(std::fs::read(&into)? == b"weights", "the download differs");
    let left = std::fs::read_dir(folder.path())?.count();
    ensure!(left == 1, "{left} files instead of one");
    Ok(())
}
