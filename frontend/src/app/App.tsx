// The page as a whole: theme, data, identity, routes.
import { localStorageColorSchemeManager, MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { useState } from 'react';
import { createBrowserRouter, RouterProvider } from 'react-router';
import { ReviewProvider } from '@/components/ReviewSheet';
import { ApiError } from '@/lib/api/client';
import { NotSignedIn } from '@/lib/identity/session';
import { routes } from './routes';
import { cssVariables, theme } from './theme';

const schemes = localStorageColorSchemeManager({ key: 'commonweight-colour-scheme' });

/** A refusal stays a refusal; only what never arrived is worth another try. */
function worthRetrying(failures: number, error: unknown): boolean {
  if (error instanceof NotSignedIn) return false;
  if (error instanceof ApiError && error.status !== 0 && error.status < 500) return false;
  return failures < 2;
}

export const newQueryClient = (): QueryClient =>
  new QueryClient({ defaultOptions: { queries: { retry: worthRetrying, staleTime: 3_000, refetchOnWindowFocus: true } } });

export function App() {
  const [queries] = useState(newQueryClient);
  const [router] = useState(() => createBrowserRouter(routes));
  return (
    <MantineProvider theme={theme} cssVariablesResolver={cssVariables} colorSchemeManager={schemes} defaultColorScheme="auto">
      <QueryClientProvider client={queries}>
        <ReviewProvider>
          <RouterProvider router={router} />
        </ReviewProvider>
      </QueryClientProvider>
    </MantineProvider>
  );
}
