//! Cell styles of the workbook. No figure and no wording.

use rust_xlsxwriter::{Color, Format, FormatAlign, FormatBorder};

use crate::derived::Figure;
use crate::layout::{Kind, Rank};

const FONT: &str = "Arial";
const HEADER: Color = Color::RGB(0xDC_E6_F0);
const WITHHELD: Color = Color::RGB(0xEC_EC_EC);
const LINE: Color = Color::RGB(0x8C_9B_AB);
/// Spaces between thousands whatever the reader's language; the sections end at a million and at a thousand.
/// `_-` leaves room at the right, for text too; right indents are drawn unevenly by LibreOffice.
const COUNT: &str = r"[>=1000000]#\ ###\ ##0_-;[>=1000]#\ ##0_-;0_-;@_-";
const PERCENT: &str = "0\"\u{a0}%\"_-;\"−\"0\"\u{a0}%\"_-;0\"\u{a0}%\"_-;@_-";
const CHANGE: &str = "+0\"\u{a0}%\"_-;\"−\"0\"\u{a0}%\"_-;0\"\u{a0}%\"_-;@_-";
const TEXT: &str = "0_-;-0_-;0_-;@_-";

/// Running text.
pub fn body() -> Format {
    Format::new().set_font_name(FONT).set_font_size(10).set_align(FormatAlign::Top)
}

/// Running text over several lines.
pub fn paragraph() -> Format {
    body().set_text_wrap()
}

/// A heading inside a sheet.
pub fn heading() -> Format {
    body().set_bold().set_font_size(11)
}

/// The title of a sheet.
pub fn title() -> Format {
    body().set_bold().set_font_size(14)
}

/// Notes under a table.
pub fn note() -> Format {
    body().set_font_size(9)
}

/// A link.
pub fn link() -> Format {
    body()
        .set_align(FormatAlign::VerticalCenter)
        .set_font_color(Color::RGB(0x1F_4E_9E))
        .set_underline(rust_xlsxwriter::FormatUnderline::Single)
}

/// A header cell: `first` and `last` header row get the outer lines, `group` starts a group of columns.
pub fn header(first: bool, last: bool, group: bool) -> Format {
    let mut format = body().set_bold().set_background_color(HEADER).set_align(FormatAlign::Bottom);
    if first {
        format = format.set_border_top(FormatBorder::Medium);
    }
    if last {
        format = format.set_border_bottom(FormatBorder::Thin);
    }
    if group { left_line(format) } else { format }
}

/// A cell of a row: lines and weight by its rank, the closing line under the last row.
pub fn row(rank: Rank, last: bool) -> Format {
    let mut format = body().set_align(FormatAlign::VerticalCenter);
    if rank != Rank::Plain {
        format = format.set_bold();
    }
    if rank == Rank::Total {
        format = format.set_border_top(FormatBorder::Thin);
    }
    if last { format.set_border_bottom(FormatBorder::Medium) } else { format }
}

/// A header cell over one column of figures.
pub fn over_figures(header: Format) -> Format {
    header.set_align(FormatAlign::Right).set_num_format(TEXT).set_text_wrap()
}

/// A header cell over a group of columns.
pub fn over_group(header: Format) -> Format {
    header.set_align(FormatAlign::Left).set_indent(1)
}

/// A figure of a row.
pub fn figure(row: Format, kind: Kind, figure: Option<Figure>) -> Format {
    let format = row.set_align(FormatAlign::Right).set_num_format(number(kind));
    if figure == Some(Figure::Withheld) { format.set_background_color(WITHHELD) } else { format }
}

/// A figure that was another in the version that is corrected: an `r` stands beside it, and the number stays a number.
pub fn revised(figure: Format, kind: Kind) -> Format {
    figure.set_num_format(number(kind).replace("_-", "\" r\""))
}

fn number(kind: Kind) -> &'static str {
    match kind {
        Kind::Count => COUNT,
        Kind::Percent => PERCENT,
        Kind::Change => CHANGE,
    }
}

/// A thin line between groups of columns.
pub fn left_line(format: Format) -> Format {
    format.set_border_left(FormatBorder::Hair).set_border_left_color(LINE)
}
