// Bytes: hex, base64, text, integers, and putting them together.

export class Refused extends Error {
  constructor(part, why, values) {
    super(why);
    this.part = part;
    // What was found and what it should be, where two values differ: [[label, text]].
    this.values = values ?? [];
  }
}

export function hex(bytes) {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

// Lower-case digits, two for each byte; null for anything else.
export function unhex(text) {
  if (typeof text !== 'string' || !/^(?:[0-9a-f]{2})*$/.test(text)) return null;
  const bytes = new Uint8Array(text.length / 2);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = Number.parseInt(text.slice(at * 2, at * 2 + 2), 16);
  return bytes;
}

export function concat(...parts) {
  return joined(parts);
}

// As `concat`, of a list: a call takes some hundred thousand arguments at most.
export function joined(parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function equal(one, other) {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

const ENCODER = new TextEncoder();

export function utf8(text) {
  return ENCODER.encode(text);
}

// The text of these bytes; null where they are not UTF-8. A byte order mark is a character like others.
export function text(bytes) {
  try {
    return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes);
  } catch {
    return null;
  }
}

// A BigInt in so many bytes, least significant first, in two's complement. The caller knows that it fits.
export function little(value, size) {
  const bytes = new Uint8Array(size);
  let rest = BigInt.asUintN(size * 8, value);
  for (let at = 0; at < size; at += 1) {
    bytes[at] = Number(rest & 255n);
    rest >>= 8n;
  }
  return bytes;
}

export function big(value, size) {
  return little(value, size).reverse();
}

export function number(bytes) {
  return bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

export function base64(bytes) {
  let coded = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const group = (bytes[at] << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    for (let digit = 0; digit < 4; digit += 1) {
      coded += at + digit > bytes.length ? '=' : BASE64[(group >> (18 - 6 * digit)) & 63];
    }
  }
  return coded;
}

// The bytes of the one base64 text that they have; null for any other.
export function unbase64(coded) {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(coded)) return null;
  const digits = [...coded.replaceAll('=', '')].map(digit => BASE64.indexOf(digit));
  const bytes = new Uint8Array(Math.floor((digits.length * 6) / 8));
  for (let at = 0; at < bytes.length; at += 1) {
    const [digit, shift] = [Math.floor((at * 8) / 6), (at * 8) % 6];
    bytes[at] = ((digits[digit] << (2 + shift)) | (digits[digit + 1] >> (4 - shift))) & 255;
  }
  return base64(bytes) === coded ? bytes : null;
}
