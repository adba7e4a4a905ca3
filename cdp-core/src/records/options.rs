//! Options of calls: structs with public fields that start from their defaults and are changed one method at a time.
//!
//! [`options!`] defines such a struct. A field is `optional T` (absent by default), `list` (a list of texts, absent by default),
//! `flag` (false by default) or `value T` (the default of `T`). Fields may be added later without breaking a caller.

macro_rules! options {
    (
        $(#[$about:meta])*
        pub struct $name:ident {
            $($(#[$about_field:meta])* $field:ident: $kind:ident $($of:ty)?,)*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$about_field])* pub $field: $crate::records::options::option_type!($kind $($of)?),)*
        }

        impl $name {
            /// The defaults.
            pub fn new() -> $name {
                $name::default()
            }

            $($crate::records::options::option_setter!($(#[$about_field])* $field: $kind $($of)?);)*
        }
    };
}

macro_rules! option_type {
    (optional $of:ty) => { Option<$of> };
    (list) => { Option<Vec<String>> };
    (flag) => { bool };
    (value $of:ty) => { $of };
}

macro_rules! option_setter {
    ($(#[$about:meta])* $field:ident: optional $of:ty) => {
        $(#[$about])*
        #[must_use]
        pub fn $field(mut self, $field: impl Into<$of>) -> Self {
            self.$field = Some($field.into());
            self
        }
    };
    ($(#[$about:meta])* $field:ident: list) => {
        $(#[$about])*
        #[must_use]
        pub fn $field<T: Into<String>>(mut self, $field: impl IntoIterator<Item = T>) -> Self {
            self.$field = Some($field.into_iter().map(Into::into).collect());
            self
        }
    };
    ($(#[$about:meta])* $field:ident: flag) => {
        $(#[$about])*
        #[must_use]
        pub fn $field(mut self, $field: bool) -> Self {
            self.$field = $field;
            self
        }
    };
    ($(#[$about:meta])* $field:ident: value $of:ty) => {
        $(#[$about])*
        #[must_use]
        pub fn $field(mut self, $field: impl Into<$of>) -> Self {
            self.$field = $field.into();
            self
        }
    };
}

pub(crate) use {option_setter, option_type, options};
