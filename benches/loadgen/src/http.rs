//! The little of HTTP/1.1 that a closed loop needs: one request out, one whole answer in.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::Fail;

/// More than any answer that is asked for here.
const MAX_ANSWER: usize = 8 << 20;

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body, unchunked.
    pub body: Vec<u8>,
    /// Whether the server closes the connection after it.
    pub close: bool,
}

/// A request's bytes, ready to be sent many times.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
    }
    format!("{head}\r\n{body}").into_bytes()
}

/// How an answer's body ends.
enum Framing {
    Length(usize),
    Chunked,
}

/// Sends a request and waits for the end of its answer.
pub async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, request: &[u8]) -> Result<Answer, Fail> {
    stream.write_all(request).await?;
    stream.flush().await?;
    let mut buffer = Vec::with_capacity(4096);
    loop {
        if stream.read_buf(&mut buffer).await? == 0 {
            return Err("the connection ended inside an answer".into());
        }
        if buffer.len() > MAX_ANSWER {
            return Err("an answer beyond all bounds".into());
        }
        if let Some(answer) = parse(&buffer)? {
            return Ok(answer);
        }
    }
}

/// `None` while something is missing.
fn parse(buffer: &[u8]) -> Result<Option<Answer>, Fail> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(start) = head.parse(buffer)? else { return Ok(None) };
    let status = head.code.unwrap_or(0);
    let (mut framing, mut close) = (Framing::Length(0), false);
    for header in head.headers.iter() {
        let value = std::str::from_utf8(header.value).unwrap_or_default().trim();
        if header.name.eq_ignore_ascii_case("content-length") {
            framing = Framing::Length(value.parse()?);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case("chunked") {
            framing = Framing::Chunked;
        } else if header.name.eq_ignore_ascii_case("connection") {
            close = value.eq_ignore_ascii_case("close");
        }
    }
    let rest = buffer.get(start..).unwrap_or_default();
    let body = match framing {
        Framing::Length(length) => rest.get(..length).map(<[u8]>::to_vec),
        Framing::Chunked => unchunk(rest)?,
    };
    Ok(body.map(|body| Answer { status, body, close }))
}

/// Joins the chunks of a body (RFC 9112, 7.1); `None` before the last one.
fn unchunk(mut rest: &[u8]) -> Result<Option<Vec<u8>>, Fail> {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
        let (line, after) = rest.split_at(end);
        let digits = line.split(|&byte| byte == b';').next().unwrap_or_default();
        let size = usize::from_str_radix(std::str::from_utf8(digits)?.trim(), 16)?;
        let Some(chunk) = after.get(2..2 + size) else { return Ok(None) };
        let Some(next) = after.get(2 + size..).and_then(|tail| tail.strip_prefix(b"\r\n".as_slice())) else {
            return Ok(None);
        };
        if size == 0 {
            return Ok(Some(body));
        }
        body.extend_from_slice(chunk);
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_whole_or_waited_for() -> Result<(), Fail> {
        let plain = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
        let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n";
        for (bytes, close) in [(plain.as_slice(), true), (chunked.as_slice(), false)] {
            for end in 0..bytes.len() {
                assert!(parse(bytes.get(..end).unwrap_or_default())?.is_none(), "cut at {end}");
            }
            let answer = parse(bytes)?.ok_or("an answer")?;
            assert_eq!((answer.status, answer.body.as_slice(), answer.close), (200, b"hello".as_slice(), close));
        }
        Ok(())
    }
}
