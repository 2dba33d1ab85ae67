//! A way to a server that the test can cut between request and answer.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Passes bytes on to a server of this machine, both ways, and sees none of them: they are TLS.
pub(crate) struct Way {
    pub(crate) port: u16,
    cuts: Arc<AtomicU32>,
    connections: Arc<AtomicU32>,
}

impl Way {
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let own = listener.local_addr().unwrap().port();
        let (cuts, connections) = (Arc::<AtomicU32>::default(), Arc::<AtomicU32>::default());
        let (cutting, counting) = (cuts.clone(), connections.clone());
        // Ends with the test's process.
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(("127.0.0.1", port))) else { continue };
                counting.fetch_add(1, Ordering::SeqCst);
                pass(&client, &server, cutting.clone());
            }
        });
        Self { port: own, cuts, connections }
    }

    /// The next answer that comes over a connection that stands is thrown away, and the connection with it: the
    /// request has arrived then. To be called a moment after the last answer, when both sides are quiet.
    pub(crate) fn cut_next_answer(&self) {
        self.cuts.store(1, Ordering::SeqCst);
    }

    /// Whether the cut is still to come.
    pub(crate) fn is_waiting(&self) -> bool {
        self.cuts.load(Ordering::SeqCst) > 0
    }

    pub(crate) fn connections(&self) -> u32 {
        self.connections.load(Ordering::SeqCst)
    }
}

fn pass(client: &TcpStream, server: &TcpStream, cuts: Arc<AtomicU32>) {
    let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Both);
    });
    let (mut from_server, mut to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    std::thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(read) = from_server.read(&mut buffer) {
            let cut = || cuts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
            if read == 0 || cut() || to_client.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = to_client.shutdown(Shutdown::Both);
        let _ = from_server.shutdown(Shutdown::Both);
    });
}
