//! The ring of a consistent hash, and the checksum that nginx's hashes are made of.
//!
//! Owns: nginx's `crc32` and the points of each server, those of Cache::Memcached::Fast (nginx:
//! `hash … consistent`). Which server is up is not its business.

/// Points of a server for each of its weight.
const POINTS: u32 = 160;
/// Most that the weights of one group are together, so that a file has its bound.
pub(crate) const WEIGHTS_MAX: u64 = 10_000;

/// The ring.
#[derive(Clone, Debug, Default)]
pub struct Points(Vec<(u32, usize)>);

impl Points {
    /// The points of servers: each with its number, how it is written and its weight.
    pub fn new<'s>(servers: impl Iterator<Item = (usize, &'s str, u32)>) -> Points {
        let mut points = Vec::new();
        for (server, text, weight) in servers {
            let (host, port) = host_and_port(text);
            let base = [host.as_bytes(), &[0], port.as_bytes()].into_iter().fold(!0, crc32_on);
            let mut hash = 0_u32;
            for _ in 0..weight.saturating_mul(POINTS) {
                hash = !crc32_on(base, &hash.to_le_bytes());
                points.push((hash, server));
            }
        }
        points.sort_by_key(|point| point.0);
        points.dedup_by_key(|point| point.0);
        Points(points)
    }

    /// The number of the first point that is not before the key.
    pub fn find(&self, key: &[u8]) -> usize {
        let hash = crc32(key);
        self.0.partition_point(|point| point.0 < hash)
    }

    /// The server of a point; after the last comes the first.
    pub fn server(&self, point: usize) -> Option<usize> {
        let at = point.checked_rem(self.0.len())?;
        self.0.get(at).map(|point| point.1)
    }
}

/// nginx: digits behind a colon at the end are a port; a path has none.
fn host_and_port(text: &str) -> (&str, &str) {
    if let Some(path) = text.strip_prefix("unix:") {
        return (path, "");
    }
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    text.rsplit_once(':').filter(|(_, port)| is_port(port)).unwrap_or((text, ""))
}

/// The checksum of gzip and PNG.
pub fn crc32(bytes: &[u8]) -> u32 {
    !crc32_on(!0, bytes)
}

/// Goes on with a checksum that is not turned yet.
pub fn crc32_on(state: u32, bytes: &[u8]) -> u32 {
    let bit = |crc: u32| (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 };
    bytes.iter().fold(state, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| bit(crc)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_everybody() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b""), 0);
        assert_eq!(!crc32_on(crc32_on(!0, b"1234"), b"56789"), 0xCBF4_3926);
    }

    #[test]
    fn a_server_that_leaves_gives_its_own_keys_away_and_no_others() {
        let texts = ["10.0.0.1:80", "10.0.0.2:80", "unix:/run/three"];
        let servers = || texts.iter().enumerate().map(|(n, text)| (n, *text, n as u32 + 1));
        let (all, fewer) = (Points::new(servers()), Points::new(servers().take(2)));
        let mut counts = [0; 3];
        for key in 0..3_000_u32 {
            let key = key.to_le_bytes();
            let [before, after] = [&all, &fewer].map(|one| one.server(one.find(&key)).unwrap());
            counts[before] += 1;
            assert!(before == after || before == 2, "{key:?}");
        }
        // By weight, as far as so few points come to it.
        assert!(counts[0] > 300 && counts[1] > 700 && counts[2] > 1_200, "{counts:?}");
    }

    #[test]
    fn a_ring_without_points_has_no_server() {
        let none = Points::default();
        assert_eq!(none.server(none.find(b"x")), None);
    }
}
