// Hashes and the trees made of them: docs/encoding.md, section 2; docs/ledger-rules.md, "The state tree". SHA-256 is
// the browser's.

import {concat, equal, utf8} from './bytes.js';

const EMPTY = new Uint8Array(32);

export class Hashing {
  #subtle;

  // `subtle` is crypto.subtle, of a browser or of Node.
  constructor(subtle) {
    this.#subtle = subtle;
  }

  async sha256(content) {
    return new Uint8Array(await this.#subtle.digest('SHA-256', content));
  }

  tagged(domain, ...parts) {
    return this.sha256(concat(tag(domain), ...parts));
  }

  leaf(content) {
    return this.sha256(concat(new Uint8Array([0]), content));
  }

  node(left, right) {
    return this.sha256(concat(new Uint8Array([1]), left, right));
  }

  // The root of a tree over these contents, of RFC 6962.
  async rootOf(contents) {
    let level = await Promise.all(contents.map(content => this.leaf(content)));
    if (level.length === 0) return this.sha256(new Uint8Array());
    while (level.length > 1) {
      const pairs = [];
      for (let at = 0; at < level.length; at += 2) {
        pairs.push(at + 1 < level.length ? this.node(level[at], level[at + 1]) : level[at]);
      }
      level = await Promise.all(pairs);
    }
    return level[0];
  }

  // Where a path leads from a leaf at this place (RFC 9162, 2.1.3); null where it has too few hashes, too many, or no
  // such place.
  async climb(leaf, index, count, path) {
    if (index >= count) return null;
    let [place, last, found, at] = [index, count - 1n, leaf, 0];
    for (; last > 0n; place >>= 1n, last >>= 1n) {
      const isRight = (place & 1n) === 1n;
      if (!isRight && place >= last) continue;
      if (at === path.length) return null;
      found = await (isRight ? this.node(path[at], found) : this.node(found, path[at]));
      at += 1;
    }
    return at === path.length ? found : null;
  }

  // Whether the later tree begins with the leaves of the earlier one (RFC 9162, 2.1.4.2). Trees are { size, root }.
  async isContinued(path, old, later) {
    if (old.size >= later.size) return path.length === 0 && old.size === later.size && equal(old.root, later.root);
    if (old.size === 0n) return false;
    let [place, last] = [old.size - 1n, later.size - 1n];
    for (; (place & 1n) === 1n; place >>= 1n, last >>= 1n);
    const rest = [...path];
    const first = place === 0n ? old.root : rest.shift();
    let [one, two] = [first, first];
    for (; last > 0n; place >>= 1n, last >>= 1n) {
      const isRight = (place & 1n) === 1n;
      if (!isRight && place >= last) continue;
      const next = rest.shift();
      if (first === undefined || next === undefined) return false;
      if (isRight) one = await this.node(next, one);
      two = await (isRight ? this.node(next, two) : this.node(two, next));
    }
    return rest.length === 0 && first !== undefined && equal(one, old.root) && equal(two, later.root);
  }

  // ---- The state tree

  pathOf(table, key) {
    return this.tagged('cairn/s-key/1', new Uint8Array([table]), key);
  }

  stateLeaf(path, value) {
    return this.tagged('cairn/s-leaf/1', path, value);
  }

  stateNode(left, right) {
    return this.tagged('cairn/s-node/1', left, right);
  }

  // The root over these leaves, each { path, value }.
  async stateRoot(leaves, depth = 0) {
    if (leaves.length === 0) return EMPTY;
    if (leaves.length === 1) return this.stateLeaf(leaves[0].path, leaves[0].value);
    const side = right =>
      this.stateRoot(
        leaves.filter(({path}) => bit(path, depth) === right),
        depth + 1,
      );
    return this.stateNode(await side(false), await side(true));
  }
}

export function bit(path, depth) {
  return ((path[depth >> 3] >> (7 - (depth & 7))) & 1) === 1;
}

export function tag(domain) {
  return concat(utf8(domain), new Uint8Array(16 - domain.length));
}
