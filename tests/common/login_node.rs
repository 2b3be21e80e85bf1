//! A login node on this machine: a real ssh server on the loopback, with keys of its own.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The server; stopped with the test, however it ends.
pub struct LoginNode {
    folder: tempfile::TempDir,
    server: Child,
}

impl Drop for LoginNode {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl LoginNode {
    /// The host's name, which only this test's ssh knows.
    pub const NAME: &'static str = "login";

    /// Starts a server that gives `environment` (`NAME=value`) to whoever comes, or says why that cannot be done here.
    pub fn start(environment: &str) -> Result<Self, String> {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
        let root = folder.path().display();
        let write = |name: &str, text: String| fs::write(folder.path().join(name), text).map_err(|e| e.to_string());
        for name in ["host", "user"] {
            let file = folder.path().join(name);
            let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(file).output();
            made.map_err(|e| format!("ssh-keygen: {e} (Debian's package is openssh-client)"))?;
        }
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).map_err(|e| e.to_string())?.port();
        write(
            "server.conf",
            format!(
                "ListenAddress 127.0.0.1\nPort {port}\nHostKey {root}/host\nAuthorizedKeysFile {root}/user.pub\nStrictModes no\n\
                 UsePAM no\nPidFile none\nPermitRootLogin prohibit-password\nSetEnv {environment}\n"
            ),
        )?;
        write(
            "client.conf",
            format!(
                "Host {}\nHostName 127.0.0.1\nPort {port}\nUser root\nIdentityFile {root}/user\nIdentitiesOnly yes\n\
                 UserKnownHostsFile {root}/known\nStrictHostKeyChecking accept-new\nLogLevel ERROR\n",
                Self::NAME
            ),
        )?;
        // The client reads its settings from the password file's home, which a test must leave alone.
        fs::create_dir(folder.path().join("bin")).map_err(|e| e.to_string())?;
        write("bin/ssh", format!("#!/bin/sh\nexec /usr/bin/ssh -F '{root}/client.conf' \"$@\"\n"))?;
        let ssh = folder.path().join("bin/ssh");
        fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).map_err(|e| e.to_string())?;
        // Where the server separates its privileges; Debian makes it when the service starts, which it does not here.
        fs::create_dir_all("/run/sshd").map_err(|e| format!("/run/sshd: {e}"))?;
        let mut command = Command::new("/usr/sbin/sshd");
        command
            .args(["-D", "-e", "-f"])
            .arg(folder.path().join("server.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let server = command.spawn().map_err(|e| format!("sshd: {e} (Debian's package is openssh-server)"))?;
        let node = Self { folder, server };
        let started = Instant::now();
        loop {
            let reached = Command::new(&ssh).args([Self::NAME, "true"]).output().map_err(|e| format!("ssh: {e}"))?;
            if reached.status.success() {
                return Ok(node);
            }
            if started.elapsed() > Duration::from_secs(20) {
                return Err(format!("no way in over ssh: {}", String::from_utf8_lossy(&reached.stderr)));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// `PATH` with an ssh before all others that knows the way to this node.
    pub fn path(&self) -> String {
        format!("{}:{}", self.folder.path().join("bin").display(), std::env::var("PATH").unwrap_or_default())
    }
}
