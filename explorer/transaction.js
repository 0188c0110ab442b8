// A transaction: who, to whom, how much, what became of it, where it lies.

import {get, on} from './api.js';
import {fact, h, loading, mono, note, quiet, replace} from './dom.js';
import {account, blockLink, copy, hash, number, outcome, reason, time, visible} from './format.js';
import {subjectOfTransaction, verifier} from './proving.js';

export function show(root, {parts: [partition, offset], signal, title}) {
  title(`Transaction ${partition}:${offset}`);
  const load = async () => draw(root, await get(`/v1/transactions/${partition}/${offset}`, signal), signal);
  const lost = error => {
    if (error.name !== 'AbortError') missing(root, mono(`${partition}:${offset}`), error, load, signal);
  };
  loading(root, load().catch(lost));
}

function missing(root, place, error, load, signal) {
  const isWaiting = error.status === 404 && /yet/.test(error.message);
  const waiting = 'It is in no block yet. This page looks again with every block.';
  replace(
    root,
    h('h1', 'Transaction ', place),
    isWaiting ? h('p', outcome('waiting'), ` ${waiting}`) : null,
    h(`p.${isWaiting ? 'quiet' : 'problem'}`, error.message),
  );
  if (!isWaiting) return;
  // One look at a time, until it is there.
  let isLooking = false;
  const look = async () => {
    if (isLooking) return;
    isLooking = true;
    await load().catch(() => {
      isLooking = false;
    });
  };
  on('block', look, signal);
}

function draw(root, found, signal) {
  const {entry} = found;
  const heading = h('h1', 'Transaction ', mono(`${entry.partition}:${entry.offset}`));
  const check = verifier(subjectOfTransaction(found), signal);
  if (entry.stub) {
    const why = ` It is no transaction: ${reason(entry.stub.reason)}. `;
    const sentence = h('p.sentence', outcome('unreadable'), why, 'Nothing was moved; a copy is in the dead letters.');
    replace(root, heading, sentence, h('dl.facts', place(found)), check);
    return;
  }
  const {receipt} = entry;
  const isApplied = receipt.outcome === 'applied';
  const amount = h('strong.mono', number(entry.amount));
  const paid = [account(entry.from), isApplied ? ' paid ' : ' asked to pay ', account(entry.to), ' ', amount, '.'];
  const notDone = isApplied ? null : ` It was not done: ${reason(receipt.reason)}.`;
  const after = (label, name, balance) => fact(label, account(name), h('span.mono.amount', number(balance)));
  replace(
    root,
    heading,
    h('p.sentence', outcome(receipt.outcome), ' ', paid, notDone),
    h(
      'dl.facts',
      after('Sender’s balance after', entry.from, receipt.from_balance),
      after('Receiver’s balance after', entry.to, receipt.to_balance),
      place(found),
      said(entry),
    ),
    quiet('The record as its block has it ', copy(JSON.stringify(entry), 'JSON')),
    check,
  );
}

// Where it lies.
function place({height, index, sealed_ms: sealedMs, topic, entry}) {
  const offset = `${topic}, partition ${entry.partition}, offset ${number(entry.offset)}`;
  const isEmpty = /^0+$/.test(entry.original);
  return [
    fact('Block', blockLink(height), note(`record ${number(index + 1)} in it`)),
    fact('Sealed', time(sealedMs, 'exact'), note(time(sealedMs))),
    fact('On the log', mono(offset)),
    fact('Time of the record', time(entry.timestamp_ms, 'exact')),
    fact('Hash of the record', isEmpty ? 'none: the record has no value' : hash(entry.original)),
  ];
}

// What the sender said of it.
function said(entry) {
  const optional = (label, value, make) => (value === undefined ? null : fact(label, make(value)));
  return [
    optional('Fee agreed to', entry.fee, number),
    optional('Id', entry.id, id => h('bdi.mono', visible(id))),
    optional('Nonce', entry.nonce, number),
    optional('Valid until active height', entry.valid_until, number),
    optional('Memo', entry.memo, memo => h('bdi.memo', visible(memo))),
    optional('Signed by key', entry.public_key, key => hash(key)),
    fact('Signature', entry.signature === undefined ? 'none' : hash(entry.signature)),
  ];
}
