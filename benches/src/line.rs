//! One connection of a client that never sleeps in the kernel: it looks for bytes, and looks again.
//!
//! A client that sleeps has to be woken by the server inside `send`, which costs the server up to several
//! microseconds a reply. That is the machine's price, not the server's, and it changes with the load.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::Error;
use crate::wire::{self, Answer};

/// The longest response that is read whole.
const BUFFER_BYTES: usize = 64 << 10;

/// A connection that carries one request at a time.
pub struct Line {
    address: SocketAddr,
    stream: TcpStream,
    buffer: Box<[u8]>,
    filled: usize,
}

impl Line {
    /// Connects.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(address: SocketAddr) -> Result<Line, Error> {
        let stream = connect(address)?;
        Ok(Line { address, stream, buffer: vec![0; BUFFER_BYTES].into(), filled: 0 })
    }

    /// Sends a request. The answer to the one before must have been taken.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send(&mut self, request: &[u8]) -> Result<(), Error> {
        let mut rest = request;
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
                Err(error) => return Err(format!("{}: {error}", self.address).into()),
            }
        }
        Ok(())
    }

    /// Takes the answer if all of it is there.
    ///
    /// # Errors
    /// When the connection is gone, or what came is no answer.
    pub fn poll(&mut self) -> Result<Option<Answer>, Error> {
        let space = self.buffer.get_mut(self.filled..).unwrap_or_default();
        if space.is_empty() {
            return Err("the answer is longer than a line holds".into());
        }
        match self.stream.read(space) {
            Ok(0) => return Err(format!("{} closed the connection", self.address).into()),
            Ok(read) => self.filled += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(format!("{}: {error}", self.address).into()),
        }
        let answer = wire::answer(self.buffer.get(..self.filled).unwrap_or_default())?;
        if let Some(answer) = answer {
            if answer.end != self.filled {
                return Err("more than one answer to one request".into());
            }
            self.filled = 0;
            if answer.closes {
                self.stream = connect(self.address)?;
            }
        }
        Ok(answer)
    }

    /// The bytes of the answer that was taken last.
    pub fn bytes(&self, answer: Answer) -> &[u8] {
        self.buffer.get(answer.body..answer.end).unwrap_or_default()
    }
}

fn connect(address: SocketAddr) -> Result<TcpStream, Error> {
    let stream = TcpStream::connect(address).map_err(|error| format!("{address}: {error}"))?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}
