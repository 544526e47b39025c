// Renders a part of the page with all that stands around it, and a small API that answers from a table. For tests only.
import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { render } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import type { ReactNode } from 'react';
import { createMemoryRouter, RouterProvider } from 'react-router';
import { vi } from 'vitest';
import { ReviewProvider } from '@/components/ReviewSheet';
import { BASE } from '@/lib/api/client';
import type { Network } from '@/lib/api/types';

export const NETWORK: Network = {
  network: 'embedded',
  root_key: '00'.repeat(133),
  canisters: { registry: 'rrkah-fqaaa-aaaaa-aaaaq-cai', jobs: 'ryjl3-tyaaa-aaaaa-aaaba-cai', ledger: 'r7inp-6aaaa-aaaaa-aaabq-cai', cooperatives: 'rkp4c-7iaaa-aaaaa-aaaca-cai' },
  height: 12,
  block_time_ns: '1700000000000000000',
  token: { name: 'Test', symbol: 'CWT', decimals: 8, fee_e8s: '10000', faucet_e8s: '100000000000' },
  logs: [],
} as unknown as Network;

export interface Refusal {
  status: number;
  code: string;
  message: string;
}
export const refusal = (status: number, code: string, message: string): Refusal => ({ status, code, message });

export type Answers = Readonly<Record<string, unknown>>;

/** Answers by path, with or without its query: `{'datasets/1': {...}, 'GET datasets?page=2': {...}}`. What is not named is a 404. */
export function fakeApi(answers: Answers) {
  const asked: { method: string; path: string; body: unknown; headers: Headers }[] = [];
  const all: Answers = { network: NETWORK, recipes: [], workers: [], ...answers };
  const fetching = vi.fn(async (input: RequestInfo | URL, init?: RequestInit) => {
    const path = String(input).replace(BASE, '');
    const method = init?.method ?? 'GET';
    asked.push({ method, path, body: init?.body ?? null, headers: new Headers(init?.headers) });
    const bare = path.split('?')[0] ?? path;
    const key = [`${method} ${path}`, `${method} ${bare}`, path, bare].find((candidate) => candidate in all);
    const answer = key === undefined ? refusal(404, 'not_found', 'There is nothing at this address.') : all[key];
    const value = typeof answer === 'function' ? (answer as () => unknown)() : answer;
    if (value instanceof Error) throw value;
    if (isRefusal(value)) return Response.json({ error: { code: value.code, message: value.message } }, { status: value.status });
    return value === undefined ? new Response(null, { status: 204 }) : Response.json(value);
  });
  vi.stubGlobal('fetch', fetching);
  return { asked };
}

const isRefusal = (value: unknown): value is Refusal => typeof value === 'object' && value !== null && 'status' in value && 'code' in value && 'message' in value;

export interface Shown {
  at?: string;
  /** Pattern of the route that shows the element, such as "/datasets/:id". */
  path?: string;
}

export function show(element: ReactNode, { at = '/', path = '*' }: Shown = {}) {
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const router = createMemoryRouter([{ path, element }, ...(path === '*' ? [] : [{ path: '*', element: <p>another page</p> }])], { initialEntries: [at] });
  render(
    <MantineProvider env="test">
      <QueryClientProvider client={queries}>
        <ReviewProvider>
          <RouterProvider router={router} />
        </ReviewProvider>
      </QueryClientProvider>
    </MantineProvider>,
  );
  return { user: userEvent.setup(), router, queries };
}

export const page = <T,>(...results: T[]) => ({ count: results.length, next: null, results });
