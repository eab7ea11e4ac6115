//! Readers against real files, downloads against a local server.
//!
//! Tests on real sets are left out of a plain run. With a folder that holds `cifar-10-batches-bin`
//! and `imagenette160-small` (200 training and 50 test images of each class of Imagenette):
//! `BYOL_SWEEP_TEST_DATA=FOLDER cargo test -- --ignored data::`.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use byol_sweep::data::check::{ClassCount, Kind, SizeRange};
use byol_sweep::data::fetch::{Archive, FetchError, Fetched, Step, fetch};
use byol_sweep::data::{DataError, check, color_histogram, load, subset};
use byol_sweep::spec::run::{Source, Subset};
use byol_sweep::spec::source::stats;
use md5::{Digest, Md5};

fn real(set: &str) -> PathBuf {
    let folder = std::env::var_os("BYOL_SWEEP_TEST_DATA").expect("BYOL_SWEEP_TEST_DATA is set");
    Path::new(&folder).join(set)
}

fn md5_hex(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
#[ignore = "reads real data sets"]
fn cifar10_is_read_whole() {
    let path = real("cifar-10-batches-bin");
    let dataset = load(&Source::Cifar10, Some(&path)).unwrap();
    let test = dataset.test.unwrap();
    assert_eq!(dataset.train.class_counts(), [5000; 10]);
    assert_eq!(test.class_counts(), [1000; 10]);

    // The first training image is a frog, the first test image a cat.
    let name = |split: &byol_sweep::data::Split| {
        split.classes[usize::from(split.labels.as_ref().unwrap()[0])].clone()
    };
    assert_eq!((name(&dataset.train).as_str(), name(&test).as_str()), ("frog", "cat"));
    let record = fs::read(path.join("data_batch_1.bin")).unwrap();
    let first = dataset.train.get(0).unwrap();
    assert_eq!(
        first.rgb[..6],
        [record[1], record[1025], record[2049], record[2], record[1026], record[2050]]
    );
    assert_eq!(first.rgb[..3], [59, 62, 63]);

    // The folder above is as good, and the constants for normalising are those of the images.
    let (mean, _) = stats(&Source::Cifar10);
    let mut sums = [0u64; 3];
    for index in 0..dataset.train.len() {
        let image = dataset.train.get(index).unwrap();
        for pixel in image.rgb.as_chunks::<3>().0 {
            for (sum, &value) in sums.iter_mut().zip(pixel) {
                *sum += u64::from(value);
            }
        }
    }
    for (sum, mean) in sums.iter().zip(mean) {
        assert!((*sum as f64 / (50_000.0 * 1024.0 * 255.0) - mean).abs() < 1e-4);
    }
    let above = load(&Source::Cifar10, path.parent()).unwrap();
    assert_eq!(above.test.unwrap(), test);
}

#[test]
#[ignore = "reads real data sets"]
fn cifar10_is_checked_against_the_official_files() {
    let report = check(&real("cifar-10-batches-bin"), &|_, _| ()).unwrap();
    assert_eq!(report.kind, Kind::Cifar10);
    assert_eq!(report.broken, []);
    assert_eq!((report.train.images, report.test.unwrap().images), (50_000, 10_000));
    let side = SizeRange { min_width: 32, max_width: 32, min_height: 32, max_height: 32 };
    assert_eq!(report.train.sizes, Some(side));
}

#[test]
#[ignore = "reads real data sets"]
fn a_balanced_subset_of_cifar10_is_selected() {
    let dataset = load(&Source::Cifar10, Some(&real("cifar-10-batches-bin"))).unwrap();
    let indices = subset(&dataset.train, Subset { images: 200, seed: 0 }).unwrap();
    let part = dataset.train.select(&indices).unwrap();
    assert_eq!(part.class_counts(), [20; 10]);
    for (place, &index) in indices.iter().enumerate() {
        assert_eq!(part.get(place).unwrap(), dataset.train.get(index as usize).unwrap());
    }
}

#[test]
#[ignore = "reads real data sets"]
fn photographs_in_folders_are_all_readable() {
    let path = real("imagenette160-small");
    let report = check(&path, &|_, _| ()).unwrap();
    assert_eq!(report.kind, Kind::ImageFolder);
    assert_eq!(report.broken, []);
    let test = report.test.unwrap();
    let counts = |classes: &[ClassCount]| classes.iter().map(|c| c.images).collect::<Vec<_>>();
    assert_eq!(counts(&report.train.classes), [200; 10]);
    assert_eq!(counts(&test.classes), [50; 10]);
    assert_eq!(report.train.classes[0].name, "n01440764");
    let sizes = report.train.sizes.unwrap();
    assert_eq!((sizes.max_width, sizes.max_height), (160, 160));
}

#[test]
#[ignore = "reads real data sets"]
fn gray_photographs_become_rgb() {
    let source = Source::ImageFolder { digest: None };
    let dataset = load(&source, Some(&real("imagenette160-small"))).unwrap();
    let is_gray = |index: &usize| {
        let image = dataset.train.get(*index).unwrap();
        assert_eq!(image.rgb.len(), (image.width * image.height * 3) as usize);
        image.rgb.as_chunks::<3>().0.iter().all(|[r, g, b]| r == g && g == b)
    };
    let gray = (0..dataset.train.len()).filter(is_gray).count();
    assert!(gray > 0 && gray < 200, "{gray} gray images");
}

/// Kinds that the encoders at hand cannot write: CMYK, progressive with restart markers, palette.
#[test]
fn rarer_kinds_of_files_become_rgb() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/data");
    let split = load(&Source::ImageFolder { digest: None }, Some(&folder)).unwrap().train;
    let pixels = |index: usize, at: [usize; 2]| {
        let image = split.get(index).unwrap();
        at.map(|at| [image.rgb[3 * at], image.rgb[3 * at + 1], image.rgb[3 * at + 2]])
    };
    let near = |found: [[u8; 3]; 2], expected: [[u8; 3]; 2]| {
        let close = |(a, b): (&u8, &u8)| a.abs_diff(*b) < 12;
        let all = found.as_flattened().iter().zip(expected.as_flattened()).all(close);
        assert!(all, "{found:?} instead of {expected:?}");
    };
    let [cmyk, palette, progressive] = [0, 1, 2];
    near(pixels(cmyk, [0, 15]), [[0, 255, 255], [255, 0, 0]]);
    assert_eq!(pixels(palette, [0, 1]), [[10, 20, 30], [200, 100, 50]]);
    near(pixels(progressive, [0, 39]), [[20, 40, 220], [200, 30, 30]]);
}

#[test]
#[ignore = "reads real data sets"]
fn other_files_than_planned_are_refused() {
    let path = real("imagenette160-small");
    let digest = check(&path, &|_, _| ()).unwrap().digest;
    assert!(load(&Source::ImageFolder { digest: digest.clone() }, Some(&path)).is_ok());
    let planned = Source::ImageFolder { digest: Some("0".repeat(64)) };
    let error = load(&planned, Some(&path)).unwrap_err();
    assert!(error.to_string().contains(&digest.unwrap()), "{error}");
}

#[test]
fn files_need_a_path_and_shapes_need_none() {
    let error = load(&Source::Cifar10, None).unwrap_err();
    assert!(matches!(error, DataError::PathNeeded { set: "cifar10" }));
    let shapes = Source::Shapes { train: 20, test: 10, side: 32, seed: 0 };
    let dataset = load(&shapes, None).unwrap();
    assert_eq!((dataset.train.len(), dataset.test.unwrap().len()), (20, 10));
}

/// The point of the shapes: the mean colours of a class are those of any other.
#[test]
fn colours_do_not_tell_shapes_apart() {
    let shapes = Source::Shapes { train: 1500, test: 500, side: 16, seed: 3 };
    let dataset = load(&shapes, None).unwrap();
    let (train, test) = (dataset.train, dataset.test.unwrap());
    let mut means = vec![vec![0.0; byol_sweep::data::COLOR_BINS]; 10];
    for index in 0..train.len() {
        for (sum, share) in
            means[index % 10].iter_mut().zip(color_histogram(&train.get(index).unwrap()))
        {
            *sum += share / 150.0;
        }
    }
    let nearest = |index: usize| {
        let histogram = color_histogram(&test.get(index).unwrap());
        let far = |mean: &Vec<f32>| -> f32 {
            mean.iter().zip(&histogram).map(|(m, h)| (m - h) * (m - h)).sum()
        };
        (0..10).min_by(|&a, &b| far(&means[a]).total_cmp(&far(&means[b]))).unwrap()
    };
    let right = (0..test.len()).filter(|&index| nearest(index) == index % 10).count();
    assert!(right < 90, "{right} of 500 by colour alone, 50 by chance");
}

/// How a server treats requests.
#[derive(Clone, Copy, PartialEq)]
enum Habit {
    /// Serves ranges.
    Good,
    /// Serves ranges, and closes its first connection after this many bytes.
    CutsFirst(usize),
    /// Closes every connection after this many bytes, whatever the range asked for.
    CutsAllAndIgnoresRanges(usize),
    /// Answers every request with the whole.
    IgnoresRanges,
    /// Has no such file.
    Absent,
}

/// A server of one file on this host. It notes the first byte that each request asks for.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<usize>>>,
}

impl Server {
    fn start(body: Vec<u8>, habit: Habit) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/set.tar.gz", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(&stream.unwrap(), &body, habit, &notes);
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<usize> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(mut stream: &TcpStream, body: &[u8], habit: Habit, notes: &Mutex<Vec<usize>>) {
    let mut start = 0;
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            start = range.trim_end_matches('-').parse().unwrap();
        }
    }
    let requests = {
        let mut notes = notes.lock().unwrap();
        notes.push(start);
        notes.len()
    };
    let (ranges, limit) = match habit {
        Habit::Good => (true, usize::MAX),
        Habit::CutsFirst(limit) if requests == 1 => (true, limit),
        Habit::CutsFirst(_) => (true, usize::MAX),
        Habit::CutsAllAndIgnoresRanges(limit) => (false, limit),
        Habit::IgnoresRanges => (false, usize::MAX),
        Habit::Absent => {
            stream
                .write_all(
                    b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                )
                .unwrap();
            return;
        }
    };
    let total = body.len();
    let (status, body) = match start {
        start if !ranges || start == 0 => ("200 OK\r\n".to_owned(), body),
        start if start >= total => {
            (format!("416 Range Not Satisfiable\r\nContent-Range: bytes */{total}\r\n"), &body[..0])
        }
        start => {
            let end = total - 1;
            let range = format!("Content-Range: bytes {start}-{end}/{total}");
            (format!("206 Partial Content\r\n{range}\r\n"), &body[start..])
        }
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status}Content-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body[..length.min(limit)]).unwrap();
}

/// An archive of one folder with one file, too random to shrink, and where it is served.
struct Published {
    server: Server,
    md5: String,
    file_md5: String,
    size: usize,
    into: tempfile::TempDir,
}

impl Published {
    fn new(habit: Habit) -> Self {
        let mut content = vec![0; 200_000];
        blake3::Hasher::new().finalize_xof().fill(&mut content);
        Self::serving(&content, habit)
    }

    fn serving(content: &[u8], habit: Habit) -> Self {
        let zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut tar = tar::Builder::new(zip);
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, "set/data.bin", content).unwrap();
        let archive = tar.into_inner().unwrap().finish().unwrap();
        Self {
            md5: md5_hex(&archive),
            file_md5: md5_hex(content),
            size: archive.len(),
            server: Server::start(archive, habit),
            into: tempfile::tempdir().unwrap(),
        }
    }

    fn fetch(&self) -> Result<Fetched, FetchError> {
        self.fetch_telling(&mut |_| ())
    }

    fn fetch_telling(&self, tell: &mut dyn FnMut(Step)) -> Result<Fetched, FetchError> {
        let files = [("data.bin", self.file_md5.as_str())];
        let (url, md5) = (self.server.url.as_str(), self.md5.as_str());
        let archive = Archive { name: "set", url, md5, folder: "set", files: &files };
        fetch(&archive, self.into.path(), tell)
    }

    fn part(&self) -> PathBuf {
        self.into.path().join("set.tar.gz.part")
    }

    /// Leaves the first `n` bytes of an earlier download.
    fn leave_part(&self, n: usize) {
        let whole = Published::new(Habit::CutsFirst(n));
        assert_eq!(whole.md5, self.md5);
        let mut bytes = Vec::new();
        let url = &whole.server.url;
        let mut reader = ureq::get(url).call().unwrap().into_body().into_reader();
        // The server cuts: what came until then is the part.
        let _ = std::io::Read::read_to_end(&mut reader, &mut bytes);
        assert_eq!(bytes.len(), n);
        fs::write(self.part(), bytes).unwrap();
    }

    fn assert_is_there(&self) {
        let data = fs::read(self.into.path().join("set/data.bin")).unwrap();
        assert_eq!(md5_hex(&data), self.file_md5);
        // Nothing is left beside it.
        let names: Vec<_> =
            fs::read_dir(self.into.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["set"]);
    }
}

#[test]
fn a_set_is_fetched_once() {
    let set = Published::new(Habit::Good);
    let folder = set.into.path().join("set");
    let mut steps = Vec::new();
    let fetched = set.fetch_telling(&mut |step| steps.push(step)).unwrap();
    assert_eq!(fetched, Fetched::New(folder.clone()));
    set.assert_is_there();
    let total = set.size as u64;
    assert!(steps.contains(&Step::Downloading { done: total, total: Some(total) }));
    assert_eq!(steps[steps.len() - 2..], [Step::Verifying, Step::Unpacking]);

    assert_eq!(set.fetch().unwrap(), Fetched::AlreadyThere(folder));
    assert_eq!(set.server.asked(), [0]);
}

#[test]
fn a_broken_connection_is_taken_up_where_it_broke() {
    let set = Published::new(Habit::CutsFirst(70_000));
    set.fetch().unwrap();
    set.assert_is_there();
    assert_eq!(set.server.asked(), [0, 70_000]);
}

#[test]
fn an_earlier_download_is_gone_on_with() {
    let set = Published::new(Habit::Good);
    set.leave_part(50_000);
    set.fetch().unwrap();
    set.assert_is_there();
    assert_eq!(set.server.asked(), [50_000]);
}

#[test]
fn a_complete_part_is_not_downloaded_again() {
    let set = Published::new(Habit::Good);
    set.leave_part(set.size);
    set.fetch().unwrap();
    set.assert_is_there();
    assert_eq!(set.server.asked(), [set.size]);
}

#[test]
fn a_part_that_is_longer_than_the_file_is_thrown_away() {
    let set = Published::new(Habit::Good);
    fs::write(set.part(), vec![0; set.size + 5]).unwrap();
    set.fetch().unwrap();
    set.assert_is_there();
    assert_eq!(set.server.asked(), [set.size + 5, 0]);
}

#[test]
fn a_server_without_ranges_sends_all_of_it_again() {
    let set = Published::new(Habit::IgnoresRanges);
    set.leave_part(50_000);
    set.fetch().unwrap();
    set.assert_is_there();
}

#[test]
fn a_server_that_always_breaks_off_is_given_up_and_the_part_is_kept() {
    let set = Published::new(Habit::CutsAllAndIgnoresRanges(40_000));
    let error = set.fetch().unwrap_err();
    assert!(matches!(error, FetchError::BrokenOff { done: 40_000, .. }), "{error}");
    assert_eq!(fs::metadata(set.part()).unwrap().len(), 40_000);
    assert_eq!(set.server.asked(), [0, 40_000]);
}

#[test]
fn a_wrong_md5_deletes_the_download_and_says_so() {
    let mut set = Published::new(Habit::Good);
    set.md5 = "0".repeat(32);
    let message = set.fetch().unwrap_err().to_string();
    assert!(message.contains("it is deleted") && message.contains(&set.md5), "{message}");
    assert_eq!(fs::read_dir(set.into.path()).unwrap().count(), 0);
}

#[test]
fn a_damaged_folder_is_told_and_left_alone() {
    let set = Published::new(Habit::Good);
    set.fetch().unwrap();
    let data = set.into.path().join("set/data.bin");
    fs::write(&data, b"damaged").unwrap();
    let error = set.fetch().unwrap_err();
    assert!(matches!(&error, FetchError::Damaged { file, .. } if *file == data), "{error}");
    assert_eq!(fs::read(&data).unwrap(), b"damaged");
}

#[test]
fn two_at_once_do_not_write_into_each_other() {
    let set = Published::new(Habit::Good);
    let other = fs::File::create(set.part()).unwrap();
    other.lock().unwrap();
    assert!(matches!(set.fetch(), Err(FetchError::Busy { .. })));
    drop(other);
    set.fetch().unwrap();
    set.assert_is_there();
}

#[test]
fn what_the_server_has_not_is_told() {
    let set = Published::new(Habit::Absent);
    assert!(matches!(set.fetch(), Err(FetchError::Status { status: 404, .. })));
}

#[test]
fn only_known_sets_have_a_name() {
    use byol_sweep::data::fetch::known;
    assert_eq!(known("cifar10").unwrap().folder, "cifar-10-batches-bin");
    let message = known("imagenet").unwrap_err().to_string();
    assert!(message.contains("`imagenet`") && message.contains("cifar10"), "{message}");
}
