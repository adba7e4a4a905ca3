//! The benches: one command a table, each as ratios to peers that run in turn with us, each side a process of its own.
//!
//! `cdp-benches <table> [--events n] [--profiles n] [--repetitions n] [--seed n] [--python path] [--node path]`; the tables are
//! `ingest`, `reads`, `audience`, `concurrency`, `identity` and `retail`. `cdp-benches persons` writes made-up people. `cdp-benches work <worker>` is one of our own sides.

mod arguments;
mod audience;
mod concurrency;
mod dataset;
mod definitions;
mod identity;
mod ingest;
mod measure;
mod messages;
mod persons;
mod reads;
mod report;
mod retail;
mod run;
mod work_audience;
mod work_concurrency;
mod work_ingest;
mod work_link;
mod work_live;
mod work_raw;
mod work_reads;
mod world;

use arguments::Arguments;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let text: Vec<&str> = words.iter().map(String::as_str).collect();
    let rest = |n: usize| Arguments::read(&words[n..]);
    match text.as_slice() {
        ["ingest", ..] => ingest::run(&rest(1)),
        ["reads", ..] => reads::run(&rest(1)),
        ["audience", ..] => audience::run(&rest(1)),
        ["concurrency", ..] => concurrency::run(&rest(1)),
        ["identity", ..] => identity::run(&rest(1)),
        ["persons", ..] => persons::run(&rest(1)),
        ["retail", ..] => retail::run(&rest(1)),
        ["work", "retail", orders, file] => retail::ours(orders.as_ref(), file.as_ref()),
        ["work", "ingest", ..] => work_ingest::ingest(&rest(2)),
        ["work", "raw-insert", ..] => work_raw::insert(&rest(2)),
        ["work", "raw-one-by-one", ..] => work_raw::insert_one_by_one(&rest(2)),
        ["work", "define", ..] => work_reads::define(&rest(2)),
        ["work", "open", ..] => work_reads::open_and_read(&rest(2)),
        ["work", "profiles", ..] => work_reads::read_profiles(&rest(2)),
        ["work", "features", ..] => work_reads::read_features(&rest(2)),
        ["work", "tables", ..] => work_reads::read_tables(&rest(2)),
        ["work", "merges", ..] => work_reads::merge(&rest(2)),
        ["work", "link", ..] => work_link::link_people(&rest(2)),
        ["work", "resolve", ..] => work_link::resolve_people(&rest(2)),
        ["work", "live-store", ..] => work_live::live(&rest(2)),
        ["work", "attach", ..] => work_live::attach(&rest(2)),
        ["work", "components", ..] => work_link::components(&rest(2)),
        ["work", "edges", ..] => work_link::write_edges(&rest(2)),
        ["work", "audience", ..] => work_audience::rebuild(&rest(2)),
        ["work", "refresh", ..] => work_audience::refresh(&rest(2)),
        ["work", "track", ..] => work_concurrency::track(&rest(2)),
        ["work", "readers", ..] => work_concurrency::read_while_writing(&rest(2)),
        _ => arguments::stop("give a table: ingest, reads, audience, concurrency, identity or retail"),
    }
}
