//! Rows of how a server of an upstream is chosen.

use super::*;

pub(super) const ROWS: &[Row] = &[
    row("least_conn", UPSTREAM_PAGE, UPSTREAM, Shape::none(), Class::Implemented)
        .note("counts the requests of all workers"),
    row("ip_hash", UPSTREAM_PAGE, UPSTREAM, Shape::none(), Class::Implemented),
    row("hash", UPSTREAM_PAGE, UPSTREAM, Shape::words(1, 2), Class::Implemented)
        .note("the weights of a consistent one are 10000 at most together"),
    row("random", UPSTREAM_PAGE, UPSTREAM, Shape::words(0, 2), Class::Implemented)
        .note("`two` counts the requests of all workers"),
    row("keepalive_time", UPSTREAM_PAGE, UPSTREAM, TIME, Class::Implemented),
    row("resolver", HTTP_PAGE, HSL.and(UPSTREAM), Shape::words(1, ANY), Class::Implemented).note(
        "without one a name that a request brings is answered by 502, as in nginx; names that `set`, \
         `map` and `split_clients` of the file say are then looked up by the system, twice a minute",
    ),
    row("resolver_timeout", HTTP_PAGE, HSL.and(UPSTREAM), TIME, Class::Implemented),
    row(
        "zone",
        UPSTREAM_PAGE,
        UPSTREAM,
        Shape::words(1, 2),
        Class::NoEffect(
            "the requests that servers have under way are counted for all workers anyway; turns \
             and failures are each worker's own, as without a zone",
        ),
    ),
];
