//! `Display` for enums without data.

macro_rules! display_as {
    ($type:ty { $($variant:path => $text:literal),+ $(,)? }) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $($variant => $text),+ })
            }
        }
    };
}
pub(crate) use display_as;
