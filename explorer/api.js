// The server: questions, and what it tells by itself.

export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

async function answer(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Problem(0, 'The server does not answer.');
  }
  if (response.ok) return response;
  let detail = `${response.status} ${response.statusText}`;
  try {
    detail = (await response.json()).detail ?? detail;
  } catch {
    // Something between here and the server has answered.
  }
  throw new Problem(response.status, detail);
}

export async function get(path, signal) {
  return (await answer(path, {signal, headers: {accept: 'application/json'}})).json();
}

// A list, page by page: each call answers the next page, and one that failed is asked for again.
export function pages(path, query, signal) {
  let asked = query;
  return async () => {
    const page = await get(`${path}?${new URLSearchParams(asked)}`, signal);
    asked = {...query, cursor: page.next};
    return page;
  };
}

// The answer's text with its headers: what is to be shown byte for byte.
export async function getRaw(path, signal) {
  const response = await answer(path, {signal});
  return {text: await response.text(), headers: response.headers};
}

export async function post(path, body) {
  const headers = {'content-type': 'application/json'};
  const response = await answer(path, {method: 'POST', headers, body: JSON.stringify(body)});
  return response.status === 204 ? null : response.json();
}

// Everybody who wants to know of blocks, of status and of the connection.
const listeners = {block: new Set(), slash: new Set(), status: new Set(), connection: new Set()};

export function on(event, listener, signal) {
  listeners[event].add(listener);
  signal?.addEventListener('abort', () => listeners[event].delete(listener));
}

function tell(event, value) {
  for (const listener of listeners[event]) listener(value);
}

export const known = {status: null, isConnected: null, retryAtMs: 0};

let source = null;
let last = null;
let pauseMs = 500;
let timer = 0;

function connected(isConnected) {
  const changed = known.isConnected !== isConnected;
  known.isConnected = isConnected;
  if (changed || !isConnected) tell('connection', isConnected);
}

// A stream of our own making: the browser's own retries say nothing of when.
function listen() {
  clearTimeout(timer);
  source?.close();
  source = new EventSource(last === null ? '/v1/events' : `/v1/events?after=${last}`);
  source.addEventListener('open', () => {
    pauseMs = 500;
    connected(true);
    ask();
  });
  source.addEventListener('block', event => {
    const block = JSON.parse(event.data);
    last = block.height;
    tell('block', block);
  });
  source.addEventListener('slash', event => tell('slash', JSON.parse(event.data)));
  source.addEventListener('error', () => {
    source.close();
    known.retryAtMs = Date.now() + pauseMs;
    timer = setTimeout(listen, pauseMs);
    pauseMs = Math.min(pauseMs * 2, 15000);
    // A stream that ends with the server's word comes back at once: that is nothing to show.
    if (pauseMs > 1000) connected(false);
  });
}

async function ask() {
  try {
    known.status = await get('/v1/status');
    tell('status', known.status);
  } catch {
    // The stream tells of the connection.
  }
}

export function begin() {
  if (!document.hidden) listen();
  setInterval(() => {
    if (!document.hidden && known.isConnected) ask();
  }, 2000);
  document.addEventListener('visibilitychange', () => {
    // A browser has six connections to a server, for all its pages: one in the background holds none of them.
    if (document.hidden) {
      clearTimeout(timer);
      source?.close();
    } else {
      listen();
    }
  });
  return ask();
}
