// The four states of every screen that waits for something: loading, failed, denied, empty.
import { Alert, Button, Group, Skeleton, Stack, Text } from '@mantine/core';
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { ApiError } from '@/lib/api/client';
import css from './states.module.css';

export function Loading({ what, lines = 4 }: { what: string; lines?: number }) {
  return (
    <Stack gap="xs" role="status" aria-label={`Loading ${what}`}>
      {Array.from({ length: lines }, (_, i) => (
        <Skeleton key={i} height={18} width={`${92 - ((i * 17) % 40)}%`} />
      ))}
    </Stack>
  );
}

export interface EmptyProps {
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}

/** Nothing here yet: says why, and teaches the next step. */
export function Empty({ title, children, action }: EmptyProps) {
  return (
    <div className={css.empty}>
      <Text fw={600}>{title}</Text>
      {children && <Text c="dimmed" maw={560}>{children}</Text>}
      {action && <div>{action}</div>}
    </div>
  );
}

export function Failed({ error, what, onRetry }: { error: unknown; what: string; onRetry?: () => void }) {
  const title = error instanceof ApiError && error.status === 404 ? `There is no such ${what}` : `The ${what} could not be loaded`;
  return (
    <Alert color="red" variant="light" title={title} role="alert">
      <Text size="sm">{errorText(error)}</Text>
      {onRetry && (
        <Group mt="sm">
          <Button variant="default" size="xs" onClick={onRetry}>
            Try again
          </Button>
        </Group>
      )}
    </Alert>
  );
}

/** Somebody else could allow this, or the viewer with their key: says who. */
export function Denied({ title, children, action }: EmptyProps) {
  return (
    <Alert color="amber" variant="light" title={title}>
      <Stack gap="sm" align="flex-start">
        <Text size="sm">{children}</Text>
        {action}
      </Stack>
    </Alert>
  );
}

export function errorText(error: unknown): string {
  return error instanceof Error && error.message ? error.message : 'Something went wrong that nobody foresaw. Reload the page; nothing of yours is lost.';
}

export interface ShownProps<T> {
  query: Pick<UseQueryResult<T>, 'data' | 'error' | 'isPending' | 'refetch'>;
  what: string;
  children: (data: T) => ReactNode;
}

/** One query's answer, or the state it is in. What was loaded before stays on the screen when a refresh fails. */
export function Shown<T>({ query, what, children }: ShownProps<T>) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.error) return <Failed error={query.error} what={what} onRetry={() => void query.refetch()} />;
  return <Loading what={what} />;
}
