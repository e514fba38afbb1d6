//! Downloads from a server in this process that cuts connections, sends other bytes, or is slow.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tempfile::TempDir;
use wengert_data::{Download, DownloadError, DownloadProblem};

/// A request: the path, and the start of the requested range.
#[derive(Clone, Debug, PartialEq)]
struct Request {
    path: String,
    from: Option<usize>,
}

type Answer = Box<dyn FnOnce(&Request, TcpStream) + Send>;

/// Starts a server that answers one request for each of `answers`. Returns its address, and a handle that returns the
/// requests.
fn serve(answers: Vec<Answer>) -> (String, JoinHandle<Vec<Request>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let handle = thread::spawn(move || {
        let mut requests = Vec::new();
        for answer in answers {
            let (stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let first = lines.next().unwrap().unwrap();
            let mut request = Request { path: first.split(' ').nth(1).unwrap().into(), from: None };
            for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
                let line = line.to_ascii_lowercase();
                if let Some(range) = line.strip_prefix("range: bytes=") {
                    request.from = range.trim_end_matches('-').parse().ok();
                }
            }
            answer(&request, stream);
            requests.push(request);
        }
        requests
    });
    (address, handle)
}

fn send(mut stream: TcpStream, head: &str, body: &[u8]) {
    let _ = write!(stream, "HTTP/1.1 {head}\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(body);
}

/// Sends the whole file, or the requested rest of it.
fn whole(body: Vec<u8>) -> Answer {
    Box::new(move |request, stream| match request.from {
        None => send(stream, &format!("200 OK\r\nContent-Length: {}", body.len()), &body),
        Some(from) => {
            let (rest, n) = (&body[from..], body.len());
            let range = format!("Content-Range: bytes {from}-{}/{n}", n - 1);
            send(
                stream,
                &format!("206 Partial\r\nContent-Length: {}\r\n{range}", rest.len()),
                rest,
            );
        }
    })
}

/// Sends the whole file, whatever was requested.
fn without_ranges(body: Vec<u8>) -> Answer {
    Box::new(move |_, stream| {
        send(stream, &format!("200 OK\r\nContent-Length: {}", body.len()), &body);
    })
}

/// Announces the whole file or the requested rest of it, and sends only `count` bytes.
fn cut(body: Vec<u8>, count: usize) -> Answer {
    Box::new(move |request, stream| {
        let (from, n) = (request.from.unwrap_or(0), body.len());
        let status = match request.from {
            None => "200 OK".to_string(),
            Some(from) => format!("206 Partial\r\nContent-Range: bytes {from}-{}/{n}", n - 1),
        };
        send(
            stream,
            &format!("{status}\r\nContent-Length: {}", n - from),
            &body[from..from + count],
        );
    })
}

fn status(head: &'static str) -> Answer {
    Box::new(move |_, stream| send(stream, &format!("{head}\r\nContent-Length: 4"), b"page"))
}

fn body() -> Vec<u8> {
    (0..300_000u32).map(|i| (i.wrapping_mul(i) % 253) as u8).collect()
}

/// The checksums of [`body`], computed by Python's hashlib.
const MD5: &str = "5983633280b3adacc7155aeed6693b44";
const SHA256: &str = "b346f48a57f2dfa849b1f958d9d12a4089e5aea7dd0c8ea0098a3994665fd42a";

struct Target {
    _folder: TempDir,
    path: PathBuf,
    part: PathBuf,
}

fn target() -> Target {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/file.gz");
    Target { part: folder.path().join("deep/er/file.gz.part"), path, _folder: folder }
}

impl Target {
    fn download(&self) -> Download {
        Download::new(&self.path).md5(MD5).sha256(SHA256).patience(Duration::from_secs(20))
    }

    /// Checks that the file is there and no other.
    fn done(&self, result: Result<PathBuf, DownloadError>) {
        assert_eq!(result.unwrap(), self.path);
        assert!(fs::read(&self.path).unwrap() == body());
        assert!(!self.part.exists());
    }
}

fn from(start: Option<usize>) -> Request {
    Request { path: "/file.gz".into(), from: start }
}

#[test]
fn a_whole_file_with_progress() {
    let (server, requests) = serve(vec![whole(body())]);
    let target = target();
    let mut seen = Vec::new();
    let download = target.download().from(format!("{server}/file.gz")).size(300_000);
    let result = download
        .on_progress(|progress| {
            assert_eq!(progress.total, Some(300_000));
            seen.push(progress.received);
        })
        .run();
    target.done(result);
    assert!(seen[0] == 0 && seen.is_sorted() && seen[seen.len() - 1] == 300_000);
    assert_eq!(requests.join().unwrap(), [from(None)]);
    // The file is complete: no server is asked again.
    target.done(target.download().from("http://127.0.0.1:1/file.gz").run());
}

#[test]
fn a_cut_connection_goes_on_where_it_stopped() {
    let (server, requests) = serve(vec![cut(body(), 100_000), cut(body(), 50_000), whole(body())]);
    let target = target();
    target.done(target.download().from(format!("{server}/file.gz")).run());
    assert_eq!(requests.join().unwrap(), [from(None), from(Some(100_000)), from(Some(150_000))]);
}

#[test]
fn a_server_without_ranges_sends_all_again() {
    let (server, requests) = serve(vec![cut(body(), 100_000), without_ranges(body())]);
    let target = target();
    target.done(target.download().from(format!("{server}/file.gz")).run());
    assert_eq!(requests.join().unwrap().len(), 2);
}

#[test]
fn the_next_run_goes_on() {
    let (server, requests) = serve(vec![cut(body(), 70_000), cut(body(), 0), whole(body())]);
    let (target, url) = (target(), format!("{server}/file.gz"));
    // The second request got no further byte, so this run gives up.
    let error = target.download().from(&url).run().unwrap_err();
    assert!(
        matches!(
            error.attempts[..],
            [ref attempt] if matches!(attempt.problem, DownloadProblem::Cut { received: 70_000, expected: 300_000 })
        ),
        "{error}"
    );
    assert!(!target.path.exists() && target.part.exists());
    target.done(target.download().from(&url).run());
    assert_eq!(requests.join().unwrap()[2], from(Some(70_000)));
}

#[test]
fn a_wrong_checksum_leads_to_the_next_source() {
    let mut wrong = body();
    wrong[7] ^= 1;
    let (first, _) = serve(vec![whole(wrong.clone())]);
    let (second, requests) = serve(vec![whole(body())]);
    let target = target();
    let urls = [format!("{first}/file.gz"), format!("{second}/file.gz")];
    target.done(target.download().from(&urls[0]).from(&urls[1]).run());
    assert_eq!(requests.join().unwrap(), [from(None)]);

    // No source is right: the error lists them, and an old file stays.
    fs::write(&target.path, "old").unwrap();
    let (first, _) = serve(vec![whole(wrong.clone())]);
    let (second, _) = serve(vec![status("404 Not Found")]);
    let urls = [format!("{first}/file.gz"), format!("{second}/file.gz")];
    let error = target.download().from(&urls[0]).from(&urls[1]).run().unwrap_err();
    assert_eq!(error.path, target.path);
    let [a, b] = &error.attempts[..] else { panic!("{error}") };
    assert_eq!([&a.url, &b.url], [&urls[0], &urls[1]]);
    assert!(
        matches!(&a.problem, DownloadProblem::Checksum { kind: "SHA-256", expected, .. } if expected == SHA256)
    );
    assert!(matches!(b.problem, DownloadProblem::Status(404)));
    let text = error.to_string();
    assert!(
        text.contains(&format!("\n  {}: the server answered with status 404", urls[1])),
        "{text}"
    );
    assert_eq!(fs::read(&target.path).unwrap(), b"old");

    // One checksum alone is enough to notice it.
    let (server, _) = serve(vec![whole(wrong)]);
    let error = Download::new(&target.path).md5(MD5).from(server).run().unwrap_err();
    assert!(matches!(error.attempts[0].problem, DownloadProblem::Checksum { kind: "MD5", .. }));
}

#[test]
fn the_rest_of_another_version_is_noticed() {
    for rest in [100_000, 300_000, 400_000] {
        let answers = match rest {
            // 206, then the checksum is wrong, then all again.
            100_000 => vec![whole(body()), whole(body())],
            // The range begins behind the end.
            _ => vec![status("416 Range Not Satisfiable"), whole(body())],
        };
        let (server, requests) = serve(answers);
        let target = target();
        fs::create_dir_all(target.part.parent().unwrap()).unwrap();
        fs::write(&target.part, vec![9; rest]).unwrap();
        target.done(target.download().from(format!("{server}/file.gz")).run());
        assert_eq!(requests.join().unwrap(), [from(Some(rest)), from(None)]);
    }
}

#[test]
fn without_a_checksum_nothing_is_resumed() {
    let (server, requests) = serve(vec![whole(body())]);
    let target = target();
    fs::create_dir_all(target.part.parent().unwrap()).unwrap();
    fs::write(&target.part, [9; 100]).unwrap();
    target.done(Download::new(&target.path).from(format!("{server}/file.gz")).run());
    assert_eq!(requests.join().unwrap(), [from(None)]);
}

#[test]
fn redirections_are_followed() {
    let (goal, requests) = serve(vec![whole(body())]);
    let location = format!("302 Found\r\nLocation: {goal}/file.gz\r\nContent-Length: 0");
    let answer: Answer = Box::new(move |_, stream| send(stream, &location, b""));
    let (server, _) = serve(vec![answer]);
    let target = target();
    target.done(target.download().from(format!("{server}/old")).run());
    assert_eq!(requests.join().unwrap(), [from(None)]);

    // A circle ends.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let location = format!("302 Found\r\nLocation: {address}/\r\nContent-Length: 0");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            lines.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
            send(stream, &location, b"");
        }
    });
    let error = Download::new(&target.path).from(address).run().unwrap_err();
    assert!(!matches!(error.attempts[0].problem, DownloadProblem::Write { .. }), "{error}");
}

/// A server that sends a byte now and then, and one that never answers.
#[test]
fn slow_servers_are_given_up() {
    let trickle: Answer = Box::new(|_, mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n");
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
    });
    let (slow, _) = serve(vec![trickle]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    // The bytes of the slow server are wrong, so the file is requested from its beginning after its rest.
    let (good, requests) = serve(vec![whole(body()), whole(body())]);
    let target = target();
    let patience = Duration::from_millis(400);
    let error = target.download().from(&slow).patience(patience).run().unwrap_err();
    assert!(matches!(error.attempts[0].problem, DownloadProblem::TooSlow { .. }), "{error}");
    let address = format!("http://{}", silent.local_addr().unwrap());
    let error = target.download().from(&address).patience(patience).run().unwrap_err();
    assert!(matches!(error.attempts[0].problem, DownloadProblem::Connection(_)), "{error}");
    let download = target.download().from(address).from(format!("{good}/file.gz"));
    target.done(download.patience(patience * 5).run());
    assert_eq!(requests.join().unwrap()[1], from(None));
}

#[test]
fn other_lengths_are_noticed_before_the_end() {
    let endless: Answer = Box::new(|_, mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        while stream.write_all(&[0; 4096]).is_ok() {}
    });
    let (endless, _) = serve(vec![endless]);
    let (longer, _) = serve(vec![whole(vec![0; 300_001])]);
    let (good, _) = serve(vec![whole(body())]);
    let target = target();
    let download = target.download().size(300_000);
    target.done(download.from(endless).from(longer).from(good).run());
    let (longer, _) = serve(vec![whole(vec![0; 300_001])]);
    let error = Download::new(&target.path).size(5).from(longer).run().unwrap_err();
    assert!(
        matches!(error.attempts[0].problem, DownloadProblem::Size { expected: 5, found: 300_001 }),
        "{error}"
    );
}

#[test]
fn no_server_and_no_folder() {
    let target = target();
    let error = target.download().from("http://127.0.0.1:1/x").run().unwrap_err();
    assert!(matches!(error.attempts[0].problem, DownloadProblem::Connection(_)), "{error}");
    let error = target.download().from("no address").run().unwrap_err();
    assert!(matches!(error.attempts[0].problem, DownloadProblem::Connection(_)), "{error}");
    let error = target.download().run().unwrap_err();
    assert!(error.attempts.is_empty());
    assert!(
        error.to_string().ends_with("file.gz could not be fetched: it has no source"),
        "{error}"
    );
    let file = target.part.clone();
    let error = Download::new(file.join("inside")).from("http://127.0.0.1:1").run().unwrap_err();
    assert!(matches!(error.attempts[0].problem, DownloadProblem::Write { .. }), "{error}");
}

#[test]
#[should_panic(expected = "md5: expected 32 hexadecimal digits, got \"abc\"")]
fn a_checksum_of_another_length() {
    let _ = Download::new("x").md5("abc");
}
