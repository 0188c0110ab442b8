// A transaction: who, to whom, how much, what became of it, where it lies.

import { get, on } from './api.js';
import { fact, h, loading, replace } from './dom.js';
import { account, balance, blockLink, copy, hash, number, outcome, reason, time, visible } from './format.js';
import { subjectOfTransaction, verifier } from './proving.js';

export function show(root, { parts: [partition, offset], signal, title }) {
  title(`Transaction ${partition}:${offset}`);
  loading(root, 'Looking for the transaction', load(root, partition, offset, signal));
}

async function load(root, partition, offset, signal) {
  try {
    draw(root, await get(`/v1/transactions/${partition}/${offset}`, signal), signal);
    return true;
  } catch (error) {
    if (error.name === 'AbortError') return false;
    missing(root, partition, offset, error, signal);
    return false;
  }
}

function missing(root, partition, offset, error, signal) {
  const isWaiting = error.status === 404 && /yet/.test(error.message);
  replace(root, h('h1', 'Transaction ', h('span.mono', `${partition}:${offset}`)),
    isWaiting ? h('p', outcome('waiting'), ' It is in no block yet. This page looks again with every block.') : null,
    h('p', { class: isWaiting ? 'quiet' : 'problem' }, error.message));
  if (!isWaiting) return;
  // One look at a time, until it is there.
  let isLooking = false;
  on('block', async () => {
    if (isLooking) return;
    isLooking = true;
    try {
      draw(root, await get(`/v1/transactions/${partition}/${offset}`, signal), signal);
    } catch {
      isLooking = false;
    }
  }, signal);
}

function draw(root, found, signal) {
  const { entry } = found;
  const where = [
    fact('Block', blockLink(found.height), h('span.note', `record ${number(found.index + 1)} in it`)),
    fact('Sealed', time(found.sealed_ms, 'exact'), h('span.note', time(found.sealed_ms))),
    fact('On the log', h('span.mono', `${found.topic}, partition ${entry.partition}, offset ${number(entry.offset)}`)),
    fact('Time of the record', time(entry.timestamp_ms, 'exact')),
    fact('Hash of the record', /^0+$/.test(entry.original) ? 'none: the record has no value' : hash(entry.original)),
  ];
  const heading = h('h1', 'Transaction ', h('span.mono', `${entry.partition}:${entry.offset}`));
  if (entry.stub) {
    replace(root, heading, h('p.sentence', outcome('unreadable'), ' ', `The record could not be read as a transaction: ${reason(entry.stub.reason)}. Nothing was moved; a copy is in the dead letters.`), h('dl.facts', where), verifier(subjectOfTransaction(found), signal));
    return;
  }
  const { receipt } = entry;
  const isApplied = receipt.outcome === 'applied';
  const sentence = isApplied
    ? [account(entry.from), ' paid ', account(entry.to), ' ', h('strong.mono', number(entry.amount)), '.']
    : [account(entry.from), ' asked to pay ', account(entry.to), ' ', h('strong.mono', number(entry.amount)), `. It was not done: ${reason(receipt.reason)}.`];
  const optional = (label, value, make = (one) => one) => (value === undefined ? null : fact(label, make(value)));
  replace(root, heading, h('p.sentence', outcome(receipt.outcome), ' ', sentence),
    h('dl.facts',
      fact('Sender’s balance after', account(entry.from), h('span.mono.amount', balance(receipt.from_balance))),
      fact('Receiver’s balance after', account(entry.to), h('span.mono.amount', balance(receipt.to_balance))),
      where,
      optional('Fee agreed to', entry.fee, number),
      optional('Id', entry.id, (one) => h('bdi.mono', visible(one))),
      optional('Nonce', entry.nonce, number),
      optional('Valid until active height', entry.valid_until, number),
      optional('Memo', entry.memo, (one) => h('bdi.memo', visible(one))),
      optional('Signed by key', entry.public_key, (one) => hash(one)),
      optional('Signature', entry.signature, (one) => hash(one)),
      entry.signature === undefined ? fact('Signature', 'none') : null),
    h('p.quiet', 'The record as its block has it ', copy(JSON.stringify(entry), 'JSON')),
    verifier(subjectOfTransaction(found), signal));
}
