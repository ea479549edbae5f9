//! A disk without room: nothing is kept, nothing fails, the cache makes itself smaller, and all goes on when there is room.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use super::*;

/// A disk of 4 MiB, which a process holds in a namespace of its own.
struct SmallDisk(Child);

impl SmallDisk {
    fn mount(over: &Path) -> SmallDisk {
        let script = "mount -t tmpfs -o size=4m,mode=700 small \"$0\" && echo mounted && exec sleep 100000";
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]).arg(over);
        let mut holder = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "mounted\n", "this test needs user namespaces");
        SmallDisk(holder)
    }

    fn path(&self, over: &Path) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.0.id())).join(over.strip_prefix("/").unwrap())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[tokio::test]
async fn a_full_disk_is_a_miss_and_no_error() {
    let scratch = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(scratch.path());
    let root = disk.path(scratch.path());
    let store = opened(&root.join("cache"), limits(64 * MIB)).await;
    let space = store.space(owner(1), "a");
    for number in 0..20 {
        assert!(put(&space, at(number), body(60_000)).await);
    }
    // Somebody else takes all the room.
    let mut filling = std::fs::File::create(root.join("filling")).unwrap();
    for size in [64 << 10, 512] {
        while filling.write_all(&vec![0; size]).is_ok() {}
    }
    let before = store.held().2;
    assert!(!put(&space, at(1), body(200_000)).await);
    assert!(get(&space, at(1)).await.is_none(), "what it was to replace is not there, either");
    assert!(store.held().2 < before, "entries went, for those who need the room more");
    assert_eq!(files(&root.join("cache")).len(), store.held().2);
    while filling.write_all(&[0; 512]).is_ok() {}
    assert!(!stream(&space, at(2), &body(1_000_000), 100_000).await);
    drafts_are_gone(&root.join("cache")).await;
    drop(filling);
    std::fs::remove_file(root.join("filling")).unwrap();
    assert!(put(&space, at(1), body(200_000)).await);
    assert_eq!(get(&space, at(1)).await, Some(Ok(body(200_000))));
}
