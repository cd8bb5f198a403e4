//! The rules a peer can break, each with its name for metrics and logs and its answer.

/// The rule that was broken. Carries no bytes of the peer, so it is safe to log and to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reject {
    /// A carriage return that is not part of a line end (RFC 9112 §2.2).
    BareCarriageReturn,
    /// A line that ends with a line feed alone (RFC 9112 §2.2 allows rejecting it).
    BareLineFeed,
    /// The bytes after a chunk's data are not CRLF (RFC 9112 §7.1).
    ChunkEndMissing,
    /// The line with a chunk's size, its extensions included, is longer than the bound.
    ChunkLineTooLong,
    /// A chunk's size is not `1*HEXDIG`, or its extension holds control bytes (RFC 9112 §7.1).
    ChunkSizeMalformed,
    /// A chunk's size is 2^63-1 or more.
    ChunkSizeTooLarge,
    /// A field's name is empty, holds white space or a control byte, or is not followed at once
    /// by a colon (RFC 9112 §5.1).
    FieldNameMalformed,
    /// A field of which a request has one at most came twice: Authorization, Content-Range,
    /// Expect, or a condition. nginx rejects them.
    FieldRepeated,
    /// One field line is longer than `field_bytes_max`.
    FieldTooLarge,
    /// A field's value holds a control byte (RFC 9110 §5.5), from an upstream NUL.
    FieldValueMalformed,
    /// The whole head is longer than `head_bytes_max`.
    HeadTooLarge,
    /// Host is empty or no `uri-host [":" port]` (RFC 9112 §3.2).
    HostMalformed,
    /// An HTTP/1.1 request without Host (RFC 9112 §3.2).
    HostMissing,
    /// More than one Host field (RFC 9112 §3.2).
    HostRepeated,
    /// The connection preface of HTTP/2 (RFC 9113 §3.4).
    Http2Preface,
    /// Content-Length together with Transfer-Encoding (RFC 9112 §6.1).
    LengthAndChunked,
    /// Two Content-Length fields that differ (RFC 9112 §6.3).
    LengthConflicting,
    /// Content-Length is not `1*DIGIT` (RFC 9110 §8.6).
    LengthMalformed,
    /// Two equal Content-Length fields of a client; nginx rejects them as well.
    LengthRepeated,
    /// Content-Length is 2^63-1 or more.
    LengthTooLarge,
    /// CONNECT: this is no forward proxy. nginx answers 405.
    MethodConnect,
    /// The method is not made of `A-Z`, `_` and `-`, which is what nginx takes.
    MethodMalformed,
    /// TRACE, which would tell a script what the browser hides from it. nginx answers 405.
    MethodTrace,
    /// A line that begins with white space (RFC 9112 §5.2).
    ObsFold,
    /// A percent sign without two hexadecimal digits, or `%00`.
    PathEscapeMalformed,
    /// `..` leads above the root.
    PathOutsideRoot,
    /// A response's reason phrase holds NUL.
    ReasonMalformed,
    /// A response's status is not three digits of 100 or more.
    StatusMalformed,
    /// The target has none of the forms that its method may have (RFC 9112 §3.2), or holds a
    /// control byte or a space.
    TargetMalformed,
    /// The request line is longer than `line_bytes_max`.
    TargetTooLong,
    /// More than `fields_max` field lines.
    TooManyFields,
    /// The Connection fields nominate more than 64 different names.
    TooManyNominations,
    /// A trailer field is malformed (RFC 9112 §7.1.2).
    TrailerMalformed,
    /// The trailer section is longer than the bound.
    TrailersTooLarge,
    /// Transfer-Encoding in HTTP/1.0 from a client (RFC 9112 §6.1).
    TransferEncodingOnHttp10,
    /// More than one Transfer-Encoding field of a client.
    TransferEncodingRepeated,
    /// Transfer-Encoding is anything but exactly `chunked`.
    TransferEncodingUnsupported,
    /// The peer closed before its message was complete (RFC 9112 §8).
    Truncated,
    /// No HTTP version of the form `HTTP/1.x` where one must be.
    VersionMalformed,
    /// HTTP/2 or later written as text.
    VersionUnsupported,
}

impl Reject {
    /// A stable name in snake case, for metric labels and logs.
    pub fn label(self) -> &'static str {
        match self {
            Reject::BareCarriageReturn => "bare_carriage_return",
            Reject::BareLineFeed => "bare_line_feed",
            Reject::ChunkEndMissing => "chunk_end_missing",
            Reject::ChunkLineTooLong => "chunk_line_too_long",
            Reject::ChunkSizeMalformed => "chunk_size_malformed",
            Reject::ChunkSizeTooLarge => "chunk_size_too_large",
            Reject::FieldNameMalformed => "field_name_malformed",
            Reject::FieldRepeated => "field_repeated",
            Reject::FieldTooLarge => "field_too_large",
            Reject::FieldValueMalformed => "field_value_malformed",
            Reject::HeadTooLarge => "head_too_large",
            Reject::HostMalformed => "host_malformed",
            Reject::HostMissing => "host_missing",
            Reject::HostRepeated => "host_repeated",
            Reject::Http2Preface => "http2_preface",
            Reject::LengthAndChunked => "length_and_chunked",
            Reject::LengthConflicting => "length_conflicting",
            Reject::LengthMalformed => "length_malformed",
            Reject::LengthRepeated => "length_repeated",
            Reject::LengthTooLarge => "length_too_large",
            Reject::MethodConnect => "method_connect",
            Reject::MethodMalformed => "method_malformed",
            Reject::MethodTrace => "method_trace",
            Reject::ObsFold => "obs_fold",
            Reject::PathEscapeMalformed => "path_escape_malformed",
            Reject::PathOutsideRoot => "path_outside_root",
            Reject::ReasonMalformed => "reason_malformed",
            Reject::StatusMalformed => "status_malformed",
            Reject::TargetMalformed => "target_malformed",
            Reject::TargetTooLong => "target_too_long",
            Reject::TooManyFields => "too_many_fields",
            Reject::TooManyNominations => "too_many_nominations",
            Reject::TrailerMalformed => "trailer_malformed",
            Reject::TrailersTooLarge => "trailers_too_large",
            Reject::TransferEncodingOnHttp10 => "transfer_encoding_on_http10",
            Reject::TransferEncodingRepeated => "transfer_encoding_repeated",
            Reject::TransferEncodingUnsupported => "transfer_encoding_unsupported",
            Reject::Truncated => "truncated",
            Reject::VersionMalformed => "version_malformed",
            Reject::VersionUnsupported => "version_unsupported",
        }
    }

    /// The status with which a server answers a client that broke this rule. For an upstream that
    /// broke it the answer is 502, which is the caller's to give.
    pub fn status(self) -> u16 {
        match self {
            Reject::MethodConnect | Reject::MethodTrace => 405,
            Reject::TargetTooLong => 414,
            Reject::FieldTooLarge
            | Reject::HeadTooLarge
            | Reject::TooManyFields
            | Reject::TooManyNominations => 431,
            // RFC 9112 §6.1; nginx answers 501 as well.
            Reject::TransferEncodingUnsupported => 501,
            Reject::VersionUnsupported => 505,
            Reject::BareCarriageReturn
            | Reject::BareLineFeed
            | Reject::ChunkEndMissing
            | Reject::ChunkLineTooLong
            | Reject::ChunkSizeMalformed
            | Reject::ChunkSizeTooLarge
            | Reject::FieldNameMalformed
            | Reject::FieldRepeated
            | Reject::FieldValueMalformed
            | Reject::HostMalformed
            | Reject::HostMissing
            | Reject::HostRepeated
            | Reject::Http2Preface
            | Reject::LengthAndChunked
            | Reject::LengthConflicting
            | Reject::LengthMalformed
            | Reject::LengthRepeated
            | Reject::LengthTooLarge
            | Reject::MethodMalformed
            | Reject::ObsFold
            | Reject::PathEscapeMalformed
            | Reject::PathOutsideRoot
            | Reject::ReasonMalformed
            | Reject::StatusMalformed
            | Reject::TargetMalformed
            | Reject::TrailerMalformed
            | Reject::TrailersTooLarge
            | Reject::TransferEncodingOnHttp10
            | Reject::TransferEncodingRepeated
            | Reject::Truncated
            | Reject::VersionMalformed => 400,
        }
    }
}
