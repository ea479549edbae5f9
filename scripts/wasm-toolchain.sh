#!/bin/bash
# Makes sure that Rust can compile guests to wasm32-wasip2, and prints the toolchain to do it with:
#
#     RUSTUP_TOOLCHAIN=$(scripts/wasm-toolchain.sh) cargo build --release --target wasm32-wasip2
#
# In this order:
#   1. the project's own toolchain has the target already: nothing to do;
#   2. an earlier run of this script made one that has it: nothing to do;
#   3. `rustup target add`, which is all it takes where rustup's server can be reached;
#   4. otherwise a toolchain is put together from Debian's packages and crates.io: Debian's newest rustc, the
#      standard library compiled from the source package of the same version, and wasi-libc of a later Debian
#      release. It lies in the cache directory; nothing is installed, and no root is needed.
#
# Usage: wasm-toolchain.sh [--from-debian]     (--from-debian leaves out 1 and 3)
# Environment: XDG_CACHE_HOME       where the toolchain is kept (about 620 MB), else ~/.cache
#              WASMYARD_WASI_SUITE  the Debian release that wasi-libc is taken from, else trixie
set -euo pipefail
unset CDPATH CARGO_TARGET_DIR RUSTC RUSTC_WRAPPER RUSTFLAGS CARGO_ENCODED_RUSTFLAGS

TARGET=wasm32-wasip2
NAME=wasmyard-guest
# The last number goes up with every change to how the toolchain is made, so that old ones are not taken for new.
HOME_DIR=${XDG_CACHE_HOME:-$HOME/.cache}/wasmyard/guest-toolchain-1
WASI_SUITE=${WASMYARD_WASI_SUITE:-trixie}
# What the guests' dependencies need; an older rustc would fail later and less clearly.
OLDEST_RUSTC=1.91

say() { echo "wasm-toolchain: $*" >&2; }
die() { say "$1"; shift; for line in "$@"; do say "  $line"; done; exit 1; }

# has_target TOOLCHAIN: it has a compiled standard library for the target. "" is the default toolchain.
has_target() {
  local lib
  lib=$(rustc ${1:+"+$1"} --print target-libdir --target "$TARGET" 2>/dev/null) || return 1
  compgen -G "$lib/libstd-*.rlib" >/dev/null
}

made_before() {
  [ -e "$HOME_DIR/complete" ] && [ -x "$HOME_DIR/bin/cargo" ] && [ -e "$HOME_DIR/linker" ]
}

# The name may still point at the toolchain of another cache directory.
link() {
  [ "$(rustc "+$NAME" --print sysroot 2>/dev/null)" = "$HOME_DIR" ] || rustup toolchain link "$NAME" "$HOME_DIR" >&2
}

# ---------------------------------------------------------------------------------------------------------------
# Debian's packages, through apt state of our own: the machine's package lists and sources stay as they are.

# apt_state NAME [OPTION...]: makes a state directory and fetches the package lists. Sets APT_CONFIG.
apt_state() {
  local dir="$WORK/apt-$1"; shift
  mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
  {
    printf 'Dir::State::lists "%s";\nDir::Cache "%s";\n' "$dir/lists" "$dir/cache"
    printf 'APT::Sandbox::User "%s";\nDebug::NoLocking "true";\nAcquire::Languages "none";\n' "$(id -un)"
    printf '%s\n' "$@"
  } >"$dir/apt.conf"
  export APT_CONFIG="$dir/apt.conf"
  # One source out of order (a third party's, say) must not stop us: what is missing is noticed below.
  apt-get -qq update >&2 || say "not every package source of this machine answered"
}

# candidate PACKAGE: the version that apt would take; empty if there is none.
candidate() { apt-cache policy "$1" | sed -n 's/^ *Candidate: *//p' | grep -vFx '(none)' || true; }

# closure PACKAGE...: all that these need, themselves included, by package name.
closure() {
  apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
    --no-enhances "$@" | grep -E '^[a-z0-9]' | sort -u
}

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# unpack PACKAGE...: downloads packages and unpacks them under $WORK/root.
unpack() {
  mkdir -p "$WORK/debs"
  (cd "$WORK/debs" && apt-get -qq download "$@" >&2) ||
    die "cannot download Debian's packages: $*" "the network, or the package mirror, does not answer: try again later"
  local deb
  for deb in "$WORK"/debs/*.deb; do dpkg-deb -x "$deb" "$WORK/root"; rm "$deb"; done
}

fetch_packages() {
  apt_state own
  local version libstd llvm libraries=() package
  version=$(candidate rustc-web)
  [ -n "$version" ] || die "this Debian release offers no package rustc-web" \
    "is the security archive among the package sources? otherwise: rustup target add $TARGET, where rustup's server is reachable"
  dpkg --compare-versions "$version" ge "$OLDEST_RUSTC" ||
    die "rustc-web $version is too old: guests need $OLDEST_RUSTC" "use a newer Debian release, or rustup target add $TARGET"
  say "putting a toolchain together from Debian's rustc-web $version; this takes a few minutes, once"
  libstd=$(closure libstd-rust-web-dev | grep -E '^libstd-rust-web-[0-9.]+$' | head -1)
  llvm=$(closure "$libstd" | grep -E '^libllvm[0-9]+$' | head -1)
  # The compiler's shared libraries that this machine lacks are unpacked beside it instead of being installed.
  for package in $(closure "$llvm" | grep -E '^(lib|zlib)'); do
    installed "$package" || libraries+=("$package")
  done
  unpack rustc-web rust-web-src "$libstd" libstd-rust-web-dev "${libraries[@]}"

  # wasi-libc of this release may know no component model: a later one's holds no machine code but wasm's, and
  # can be taken from there.
  local mirror keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -1)
  [ -n "$mirror" ] || die "the package sources of this machine name no Debian archive"
  [ -r "$keyring" ] || die "$keyring is missing" "apt-get install debian-archive-keyring"
  echo "deb [signed-by=$keyring] ${mirror%/} $WASI_SUITE main" >"$WORK/later.list"
  apt_state later "Dir::Etc::sourcelist \"$WORK/later.list\";" 'Dir::Etc::sourceparts "-";'
  [ -n "$(candidate wasi-libc)" ] || die "the machine's Debian mirror offers no wasi-libc in release $WASI_SUITE" \
    "name another release: WASMYARD_WASI_SUITE=..."
  unpack wasi-libc
  unset APT_CONFIG
  [ -e "$WORK/root/usr/lib/$TARGET/libc.a" ] ||
    die "wasi-libc of Debian $WASI_SUITE knows no $TARGET" "name a later release: WASMYARD_WASI_SUITE=..."
}

# ---------------------------------------------------------------------------------------------------------------

# assemble DIR: lays the unpacked packages out as rustup expects a toolchain.
assemble() {
  local dir=$1 usr=$WORK/root/usr sysroot host
  sysroot=$(rustc --print sysroot)
  host=$(rustc -vV | sed -n 's/^host: //p')
  mkdir -p "$dir/bin" "$dir/lib"
  mv "$usr/bin/rustc" "$usr/bin/rustdoc" "$dir/bin/"
  mv "$usr"/lib/*-linux-gnu/*.so* "$dir/lib/"
  [ ! -d "$WORK/root/lib" ] || find "$WORK/root/lib" -name '*.so*' -exec mv -t "$dir/lib" {} +
  cp -a "$usr/lib/rustlib" "$dir/lib/"
  find "$dir/lib/rustlib" -xtype l -delete # links into packages that are not unpacked
  mkdir -p "$dir/lib/rustlib/src/rust"
  mv "$usr"/src/rustc-*/library "$dir/lib/rustlib/src/rust/"
  # Debian takes prebuilt archives out of the vendored crates, and their build scripts miss them.
  rm -rf "$dir/lib/rustlib/src/rust/library/vendor"
  mkdir -p "$dir/lib/rustlib/$TARGET/lib/self-contained"
  cp "$usr/lib/$TARGET"/{libc.a,crt1-command.o,crt1-reactor.o} "$dir/lib/rustlib/$TARGET/lib/self-contained/"
  # Cargo and the linkers come with every toolchain of rustup's.
  ln -s "$sysroot/bin/cargo" "$dir/bin/cargo"
  ln -s "$sysroot/lib/rustlib/$host/bin" "$dir/lib/rustlib/$host/bin"
  ln -s "lib/rustlib/$host/bin/wasm-component-ld" "$dir/linker"
  [ -e "$dir/linker" ] || die "rustup's toolchain in $sysroot brings no wasm-component-ld" "update it: rustup update"
  local missing
  missing=$(LD_LIBRARY_PATH=$dir/lib ldd "$dir/bin/rustc" | sed -n 's/^[[:space:]]*\(.*\) => not found.*/\1/p' | sort -u)
  [ -z "$missing" ] || die "Debian's rustc needs shared libraries that are not on this machine:" "$missing"
}

# build_std DIR: compiles the standard library for the target, and puts it where rustc looks.
build_std() {
  local dir=$1 stage=$WORK/stage
  mkdir -p "$stage/src"
  : >"$stage/src/lib.rs"
  printf '[package]\nname = "stage"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n[profile.release]\ncodegen-units = 1\n' \
    >"$stage/Cargo.toml"
  say "compiling the standard library for $TARGET"
  # RUSTC_BOOTSTRAP: building std is not a stable feature. embed-bitcode: without it no guest could use lto.
  (cd "$stage" && PATH=$dir/bin:$PATH LD_LIBRARY_PATH=$dir/lib RUSTC=$dir/bin/rustc RUSTC_BOOTSTRAP=1 \
    RUSTFLAGS=-Cembed-bitcode=yes "$dir/bin/cargo" build -q --release -Zbuild-std=std,panic_abort --target "$TARGET" >&2) ||
    die "the standard library could not be compiled" "its dependencies come from crates.io: can this machine reach it?"
  cp "$stage/target/$TARGET"/release/deps/lib*.rlib "$dir/lib/rustlib/$TARGET/lib/"
  rm "$dir/lib/rustlib/$TARGET/lib"/libstage-*.rlib
}

make_toolchain() {
  local tool
  for tool in apt-get apt-cache dpkg-deb; do
    command -v "$tool" >/dev/null ||
      die "$tool is missing: a toolchain can only be put together on Debian" "elsewhere: rustup target add $TARGET"
  done
  command -v cc >/dev/null || die "cc is missing: Rust needs a linker" "apt-get install gcc libc6-dev"
  mkdir -p "$(dirname "$HOME_DIR")"
  # One at a time: a second run waits, and then finds the work done.
  exec 9>"$HOME_DIR.lock"
  flock 9
  made_before && return
  WORK=$(mktemp -d "$HOME_DIR.XXXXXX")
  trap 'rm -rf "$WORK"' EXIT
  fetch_packages
  assemble "$WORK/toolchain"
  build_std "$WORK/toolchain"
  : >"$WORK/toolchain/complete"
  rm -rf "$HOME_DIR"
  mv "$WORK/toolchain" "$HOME_DIR"
}

main() {
  local from_debian=
  case ${1:-} in
    "") ;;
    --from-debian) from_debian=1 ;;
    *) die "unknown argument: $1" "usage: wasm-toolchain.sh [--from-debian]" ;;
  esac
  command -v rustup >/dev/null || die "rustup is missing" "https://rustup.rs says how to install it"
  cd "$(dirname "${BASH_SOURCE[0]}")/.." # here rust-toolchain.toml names the toolchain

  if [ -z "$from_debian" ] && has_target ""; then
    echo "${RUSTUP_TOOLCHAIN:-$(rustup show active-toolchain | cut -d ' ' -f 1)}"
    return
  fi
  if ! made_before; then
    if [ -z "$from_debian" ]; then
      say "adding the target $TARGET"
      if timeout 60 rustup target add "$TARGET" >&2 && has_target ""; then
        rustup show active-toolchain | cut -d ' ' -f 1
        return
      fi
      say "rustup cannot download the target here"
    fi
    make_toolchain
  fi
  link
  has_target "$NAME" || die "the toolchain in $HOME_DIR does not work" "remove that folder and try again"
  echo "$NAME"
}

main "$@"
