//! A disk that is small enough to be filled: a file system in memory, in a mount namespace of its own, so that no test
//! needs rights. The server of a test is started inside.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::Site;

/// Mounted at a site's data directory for as long as this lives.
pub struct SmallDisk {
    holder: Child,
    data: PathBuf,
}

impl SmallDisk {
    /// Mounts one of this size.
    pub async fn mount(site: &Site, size: &str) -> SmallDisk {
        let script =
            "mount -t tmpfs -o \"size=$0,mode=700\" small \"$1\" && echo mounted && exec sleep 100000";
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, size]).arg(site.data());
        let mut holder = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap();
        assert_eq!(
            line.as_deref(),
            Some("mounted"),
            "this test needs user namespaces (sysctl kernel.unprivileged_userns_clone, or --privileged in a container)"
        );
        SmallDisk { holder, data: site.data() }
    }

    /// A file on it, as this process reaches it.
    pub fn path(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id().unwrap()));
        root.join(self.data.strip_prefix("/").unwrap()).join(name)
    }

    /// The beginning of a command that runs in a folder and sees the disk.
    pub fn enter(&self, folder: &std::path::Path) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--user", "--mount", "--preserve-credentials", "--target"]);
        command.arg(self.holder.id().unwrap().to_string());
        command.args(["sh", "-c", "cd \"$0\" && exec \"$@\""]).arg(folder);
        command
    }
}
