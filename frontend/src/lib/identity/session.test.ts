import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { api, ApiError } from '@/lib/api/client';
import { createDeviceIdentity, identityFromPhrase } from './keys';
import { currentPrincipal, keptIdentities } from './record';
import { adoptIdentity, identityDialogClosed, NotSignedIn, requireIdentity, restoreSession, setIdentityDialog, signOut } from './session';
import { fromHex, toHex, utf8 } from '@/lib/bytes';

/** A marketplace that gives challenges, checks signatures, and remembers the sessions it gave. */
function marketplace() {
  const sessions = new Set<string>();
  const seen: string[] = [];
  const answer = (value: unknown, status = 200) => Response.json(value, { status });
  vi.stubGlobal(
    'fetch',
    vi.fn(async (input: string, init: RequestInit) => {
      const path = input.replace('/api/market/', '');
      seen.push(path);
      if (path === 'auth/challenge') {
        const challenge = 'cd'.repeat(32);
        return answer({ challenge, message: toHex(utf8('\x13commonweight-signin')) + challenge, expires_at_ns: '1' });
      }
      if (path === 'auth/sign-in') {
        const proof = JSON.parse(String(init.body)) as { public_key: string; signature: string; challenge: string };
        const key = await crypto.subtle.importKey('spki', fromHex(proof.public_key), { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify']);
        const message = new Uint8Array([...utf8('\x13commonweight-signin'), ...fromHex(proof.challenge)]);
        const holds = await crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, fromHex(proof.signature), message);
        if (!holds) return answer({ error: { code: 'not_signed_in', message: 'The signature does not hold.' } }, 401);
        sessions.add(`cws_${sessions.size + 1}`);
        return answer({ session: `cws_${sessions.size}`, principal: 'x', expires_at_ns: '1' });
      }
      const secret = new Headers(init.headers).get('Authorization')?.replace('Bearer ', '') ?? '';
      return sessions.has(secret) ? answer({ secret }) : answer({ error: { code: 'not_signed_in', message: 'Sign in first.' } }, 401);
    }),
  );
  return { seen, forget: () => sessions.clear() };
}

const storage = new Map<string, string>();
beforeEach(() => {
  storage.clear();
  vi.stubGlobal('localStorage', { getItem: (k: string) => storage.get(k) ?? null, setItem: (k: string, v: string) => storage.set(k, v), removeItem: (k: string) => storage.delete(k) });
});
afterEach(() => {
  signOut();
  setIdentityDialog(null);
  vi.unstubAllGlobals();
});

test('the first request that needs it signs in, the next ones go on with the same session', async () => {
  const { seen } = marketplace();
  await adoptIdentity(await createDeviceIdentity());

  const answers = await Promise.all([api('requests', { signedIn: true }), api('votes', { signedIn: true })]);

  expect(answers).toEqual([{ secret: 'cws_1' }, { secret: 'cws_1' }]);
  expect(seen.filter((path) => path === 'auth/sign-in')).toHaveLength(1);
});

test('a session that the server has forgotten is made again, once', async () => {
  const server = marketplace();
  await adoptIdentity(await createDeviceIdentity());
  await api('requests', { signedIn: true });
  server.forget();

  expect(await api('requests', { signedIn: true })).toEqual({ secret: 'cws_1' });
});

test('what a page loads by itself never opens a dialog; what a person does, may', async () => {
  marketplace();
  const ask = vi.fn();
  setIdentityDialog(ask);

  await expect(api('requests', { signedIn: true })).rejects.toThrow(NotSignedIn);
  expect(ask).not.toHaveBeenCalled();

  const sending = api('blobs', { method: 'POST', body: new Uint8Array(1), signedIn: true });
  await vi.waitFor(() => expect(ask).toHaveBeenCalled());
  await adoptIdentity(await createDeviceIdentity());
  expect(await sending).toEqual({ secret: 'cws_1' });
});

test('closing the dialog is a no, and nothing is signed', async () => {
  const { seen } = marketplace();
  setIdentityDialog(() => identityDialogClosed());

  await expect(requireIdentity()).rejects.toThrow(/Nothing was signed or sent/);
  expect(seen).toEqual([]);
});

test('another key is another session', async () => {
  marketplace();
  await adoptIdentity(await createDeviceIdentity());
  await api('requests', { signedIn: true });
  await adoptIdentity(await createDeviceIdentity());

  expect(await api('requests', { signedIn: true })).toEqual({ secret: 'cws_2' });
});

test('a session whose delegation is over asks again before anything is signed', async () => {
  marketplace();
  const ask = vi.fn();
  setIdentityDialog(ask);
  const phrase = await identityFromPhrase(`${'abandon '.repeat(23)}art`);
  await adoptIdentity({ ...phrase, expires_at_ms: Date.now() - 1 });

  void requireIdentity().catch(() => undefined);

  expect(ask).toHaveBeenCalled();
});

test('a key is found again after a reload; signing out leaves it in the browser', async () => {
  const identity = await createDeviceIdentity();
  await adoptIdentity(identity);
  await restoreSession();

  expect(currentPrincipal.get()).toBe(identity.principal);
  signOut();
  expect(currentPrincipal.get()).toBeNull();
  expect((await keptIdentities()).map((kept) => kept.principal)).toContain(identity.principal);
});

test('a refusal carries the words of the server; a broken line says that nothing was changed', async () => {
  vi.stubGlobal('fetch', vi.fn(async () => Response.json({ error: { code: 'invalid', message: 'title: too long', fields: { title: 'too long' } } }, { status: 400 })));
  await expect(api('datasets')).rejects.toMatchObject({ status: 400, code: 'invalid', message: 'title: too long', fields: { title: 'too long' } });

  vi.stubGlobal('fetch', vi.fn(async () => new Response('<html>', { status: 502 })));
  await expect(api('datasets')).rejects.toMatchObject({ status: 502, message: expect.stringContaining('answered 502') as string });

  vi.stubGlobal('fetch', vi.fn(async () => Promise.reject(new TypeError('Failed to fetch'))));
  await expect(api('datasets')).rejects.toThrow(ApiError);
  await expect(api('datasets')).rejects.toThrow(/nothing was changed/);
});
