//! What burnlab does as a whole, seen from outside: files in, processes, tables and errors out.

mod architectures;
mod bad_files;
mod circles;
mod commands;
mod elsewhere;
mod equal_bits;
mod folders;
mod generated;
mod grown;
mod having;
mod interruption;
mod lab;
mod measures;
mod mutants;
mod pictures;
mod regress;
mod report;
mod reproduce;
mod rooms;
mod runs;
mod schema;
mod streams;
mod transfer;
