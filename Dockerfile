# The image of `cairn`: built from source in one stage, a slim Debian with nothing but the program in the other.
#
#   docker build --tag cairn .
#   docker run --rm cairn demo

FROM rust:1.95-bookworm AS build
WORKDIR /cairn
# The same list of native packages as on any other machine; a layer of its own, because it changes least.
COPY scripts/install scripts/install
RUN scripts/install build
COPY . .
# RocksDB and librdkafka take half an hour to compile: the caches keep them from one build to the next.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/cairn/target \
    cargo build --release --locked --package cairn-ledger \
    && install -D --strip target/release/cairn /out/cairn

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libssl3 libstdc++6 zlib1g \
    && rm -rf /var/lib/apt/lists/*
# A fixed number, so that a volume's files keep their owner. The directory of state and keys exists in the image for the
# same reason: Docker gives a new named volume the owner of what it covers.
RUN useradd --system --uid 10001 --user-group --home-dir /var/lib/cairn --create-home --shell /usr/sbin/nologin cairn
COPY --from=build /out/cairn /usr/local/bin/cairn
USER cairn
WORKDIR /var/lib/cairn
# Stores, and what nothing brings back: keys and genesis, in data/cairn/<chain id>. Both are on the volume.
ENV CAIRN_STATE_DIR=/var/lib/cairn/state XDG_DATA_HOME=/var/lib/cairn/data
VOLUME /var/lib/cairn
# No shell in between: SIGTERM must reach the program, which then finishes its commit and leaves the group.
ENTRYPOINT ["cairn"]
CMD ["--help"]
