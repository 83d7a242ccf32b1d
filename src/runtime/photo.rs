//! Uploaded pictures, made anew: what is kept is drawn from the pixels alone. Where somebody was, with
//! which telephone, and whatever else is hidden in a file, is gone with the file.
//!
//! How many pixels there are is looked up before any is unpacked: a file of some octets can say that
//! it has more than there is memory for.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage};

use crate::directory::Photo;
use crate::directory::photo::{LARGE_SIDE_MAX, SMALL_SIDE_MAX};

/// Octets that a pixel takes at most until the picture is scaled down: four channels of 16 bits.
const PIXEL_OCTETS: u64 = 8;
/// What unpacking takes besides, in octets.
const UNPACKING_OCTETS: u64 = 16 * 1024 * 1024;
/// Quality of the pictures made, of 100.
const QUALITY: u8 = 85;

/// Why a file is no picture that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhotoError {
    /// It is neither JPEG nor PNG.
    #[error("it is neither JPEG nor PNG")]
    Kind,
    /// It has more pixels than may be.
    #[error("it has more than {0} pixels")]
    TooManyPixels(usize),
    /// It cannot be read to its end.
    #[error("it is damaged")]
    Damaged,
}

impl From<ImageError> for PhotoError {
    fn from(_: ImageError) -> Self {
        PhotoError::Damaged
    }
}

/// The picture that `octets`, a file, shows; the name it came under says nothing. Takes a second of
/// one processor for the largest, and up to 8 octets of memory for each of its pixels.
///
/// # Errors
/// Why it is none that is kept.
pub fn draw(octets: &[u8], pixels_max: usize) -> Result<Photo, PhotoError> {
    let format = image::guess_format(octets).map_err(|_| PhotoError::Kind)?;
    if !matches!(format, ImageFormat::Jpeg | ImageFormat::Png) {
        return Err(PhotoError::Kind);
    }
    let file = || ImageReader::with_format(Cursor::new(octets), format);
    let (width, height) = file().into_dimensions()?;
    let pixels_allowed = u64::try_from(pixels_max).unwrap_or(u64::MAX);
    if u64::from(width) * u64::from(height) > pixels_allowed {
        return Err(PhotoError::TooManyPixels(pixels_max));
    }
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(pixels_allowed.saturating_mul(PIXEL_OCTETS) + UNPACKING_OCTETS);
    let mut reader = file();
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    // The one thing the file says beside the pixels that is to be seen: which side is up.
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture = fitted(picture, LARGE_SIDE_MAX);
    picture.apply_orientation(orientation);
    let large = jpeg(&picture)?;
    let small = jpeg(&fitted(picture, SMALL_SIDE_MAX))?;
    Ok(Photo { large: large.into(), small: small.into() })
}

/// The picture, no side of it longer than `side_max`.
fn fitted(picture: DynamicImage, side_max: u32) -> DynamicImage {
    if picture.width().max(picture.height()) <= side_max {
        return picture;
    }
    picture.resize(side_max, side_max, FilterType::Triangle)
}

fn jpeg(picture: &DynamicImage) -> Result<Vec<u8>, PhotoError> {
    let mut octets = Vec::new();
    JpegEncoder::new_with_quality(&mut octets, QUALITY).encode_image(&on_white(picture))?;
    Ok(octets)
}

/// What shows through where the picture does not cover it.
fn on_white(picture: &DynamicImage) -> RgbImage {
    let pixels = picture.to_rgba8();
    let mut opaque = RgbImage::new(pixels.width(), pixels.height());
    for (to, from) in opaque.pixels_mut().zip(pixels.pixels()) {
        let [red, green, blue, alpha] = from.0.map(u32::from);
        let over = |colour: u32| ((colour * alpha + 255 * (255 - alpha)) / 255) as u8;
        to.0 = [over(red), over(green), over(blue)];
    }
    opaque
}

#[cfg(test)]
mod tests {
    use image::{Rgba, RgbaImage};

    use super::*;

    const PIXELS_MAX: usize = 1_000_000;

    fn file(width: u32, height: u32, colour: [u8; 4], format: ImageFormat) -> Vec<u8> {
        let picture = DynamicImage::from(RgbaImage::from_pixel(width, height, Rgba(colour)));
        let picture = match format {
            ImageFormat::Jpeg => DynamicImage::from(picture.to_rgb8()),
            _ => picture,
        };
        let mut octets = Vec::new();
        picture.write_to(&mut Cursor::new(&mut octets), format).unwrap();
        octets
    }

    fn size(octets: &[u8]) -> (u32, u32) {
        assert_eq!(image::guess_format(octets).unwrap(), ImageFormat::Jpeg);
        let picture = image::load_from_memory(octets).unwrap();
        (picture.width(), picture.height())
    }

    /// A JPEG with an EXIF segment that says where it was taken, and that its right side is up.
    fn told(mut jpeg: Vec<u8>) -> Vec<u8> {
        let mut exif =
            b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0".to_vec();
        exif.extend_from_slice(b"\0\0\0\0taken at home");
        let len = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
        jpeg.splice(2..2, [&[0xff, 0xe1], &len[..], &exif].concat());
        jpeg
    }

    #[test]
    fn both_kinds_are_scaled_down_and_none_is_scaled_up() {
        for format in [ImageFormat::Jpeg, ImageFormat::Png] {
            let photo = draw(&file(1000, 500, [200, 10, 10, 255], format), PIXELS_MAX).unwrap();
            assert_eq!((size(&photo.large), size(&photo.small)), ((648, 324), (96, 48)));
            let photo = draw(&file(40, 30, [200, 10, 10, 255], format), PIXELS_MAX).unwrap();
            assert_eq!((size(&photo.large), size(&photo.small)), ((40, 30), (40, 30)));
        }
    }

    #[test]
    fn what_the_file_tells_is_gone_but_for_which_side_is_up() {
        let file = told(file(60, 20, [1, 2, 3, 255], ImageFormat::Jpeg));
        assert!(file.windows(4).any(|part| part == b"home"));
        let photo = draw(&file, PIXELS_MAX).unwrap();
        for kept in [&photo.large, &photo.small] {
            assert!(!kept.windows(4).any(|part| part == b"Exif" || part == b"home"));
            assert_eq!(size(kept), (20, 60));
        }
    }

    #[test]
    fn what_is_not_covered_is_white() {
        let photo = draw(&file(8, 8, [0, 0, 0, 0], ImageFormat::Png), PIXELS_MAX).unwrap();
        let picture = image::load_from_memory(&photo.large).unwrap().to_rgb8();
        assert!(picture.pixels().all(|pixel| pixel.0.iter().all(|colour| *colour > 250)));
    }

    #[test]
    fn a_picture_of_too_many_pixels_is_not_unpacked() {
        let fits = file(1000, 1000, [9, 9, 9, 255], ImageFormat::Png);
        assert!(draw(&fits, PIXELS_MAX).is_ok());
        assert_eq!(draw(&fits, PIXELS_MAX - 1), Err(PhotoError::TooManyPixels(PIXELS_MAX - 1)));
        // Its head says that it has four thousand million; its octets are those of a few.
        let mut bomb = file(2, 2, [9, 9, 9, 255], ImageFormat::Png);
        let [ihdr, rest @ ..] = &mut bomb[12..33] else { unreachable!() };
        assert_eq!((*ihdr, &rest[..3]), (b'I', &b"HDR"[..]));
        bomb[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
        let checked = crc32(&bomb[12..29]);
        bomb[29..33].copy_from_slice(&checked.to_be_bytes());
        assert_eq!(draw(&bomb, PIXELS_MAX), Err(PhotoError::TooManyPixels(PIXELS_MAX)));
    }

    fn crc32(octets: &[u8]) -> u32 {
        !octets.iter().fold(!0, |mut crc, octet| {
            crc ^= u32::from(*octet);
            for _ in 0..8 {
                crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
            }
            crc
        })
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        for other in [&b""[..], b"GIF89a\x01\0\x01\0\0\0\0;", b"<svg/>", b"BM", &[0xff; 9]] {
            assert_eq!(draw(other, PIXELS_MAX), Err(PhotoError::Kind), "{other:?}");
        }
        for format in [ImageFormat::Jpeg, ImageFormat::Png] {
            let whole = file(300, 300, [200, 10, 10, 255], format);
            for len in 12..40 {
                assert_eq!(draw(&whole[..len], PIXELS_MAX), Err(PhotoError::Damaged), "{len}");
            }
        }
    }
}
