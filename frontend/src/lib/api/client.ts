// The one way to the REST API. Answers are JSON or nothing; every refusal becomes an ApiError that carries the server's words.

export const BASE = '/api/market/';

/** The server said no, or could not be reached (`status` 0). `message` says what happened and what to do. */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly fields: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

/** Gives the secret of a session, signing in if there is none. `renew`: the server has refused the last one. `ask`: the person may be asked
 * for a key; without it, what a page loads in the background is refused instead of opening a dialog. */
export type SessionSource = (options: { renew: boolean; ask: boolean }) => Promise<string>;

let sessionSource: SessionSource | null = null;

/** The identity layer says here how to sign in: the client itself knows no keys. */
export function setSessionSource(source: SessionSource | null): void {
  sessionSource = source;
}

export interface RequestOptions {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  json?: unknown;
  body?: Uint8Array | Blob;
  signal?: AbortSignal | undefined;
  /** Sign in first, with the current identity. */
  signedIn?: boolean;
}

export async function api<T>(path: string, options: RequestOptions = {}): Promise<T> {
  if (!options.signedIn) return send<T>(path, options, null);
  if (!sessionSource) throw new ApiError(401, 'not_signed_in', 'Sign in first: this needs your key.');
  const ask = (options.method ?? 'GET') !== 'GET';
  const secret = await sessionSource({ renew: false, ask });
  try {
    return await send<T>(path, options, secret);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
    return send<T>(path, options, await sessionSource({ renew: true, ask }));
  }
}

async function send<T>(path: string, options: RequestOptions, secret: string | null): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (secret) headers.Authorization = `Bearer ${secret}`;
  if (options.json !== undefined) headers['Content-Type'] = 'application/json';
  else if (options.body) headers['Content-Type'] = 'application/octet-stream';
  let response: Response;
  try {
    response = await fetch(BASE + path, {
      method: options.method ?? 'GET',
      headers,
      body: options.json !== undefined ? JSON.stringify(options.json) : ((options.body as BodyInit | undefined) ?? null),
      signal: options.signal ?? null,
      credentials: 'omit',
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(0, 'unreachable', 'The marketplace does not answer. Check your connection and try again; nothing was changed.');
  }
  if (response.ok) return (response.status === 204 ? undefined : await response.json()) as T;
  throw await refusal(response);
}

async function refusal(response: Response): Promise<ApiError> {
  try {
    const { error } = (await response.json()) as { error: { code: string; message: string; fields?: Record<string, string> } };
    return new ApiError(response.status, error.code, error.message, error.fields);
  } catch {
    return new ApiError(response.status, 'unreadable', `The marketplace answered ${response.status} without saying why. Try again in a moment.`);
  }
}

/** `{a: 1, b: undefined}` -> "?a=1"; "" when nothing is asked. */
export function queryString(parameters: Readonly<Record<string, string | number | undefined>>): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) if (value !== undefined && value !== '') search.set(key, String(value));
  const text = search.toString();
  return text ? `?${text}` : '';
}
