// Paging of a list, in the address, so that a page can be linked to.
import { Group, Pagination } from '@mantine/core';
import { useSearchParams } from 'react-router';

export const PAGE_SIZE = 20;

/** The page that the address names, and how to name another filter. Changing a filter starts at page 1 again. */
export function useFilters() {
  const [search, setSearch] = useSearchParams();
  const page = Math.max(1, Number.parseInt(search.get('page') ?? '1', 10) || 1);
  const set = (name: string, value: string | null) =>
    setSearch(
      (before) => {
        const after = new URLSearchParams(before);
        if (value) after.set(name, value);
        else after.delete(name);
        if (name !== 'page') after.delete('page');
        return after;
      },
      { replace: true },
    );
  return { page, get: (name: string) => search.get(name) ?? undefined, set };
}

export function Pages({ count, page, onPage, size = PAGE_SIZE }: { count: number; page: number; onPage: (page: string) => void; size?: number }) {
  const total = Math.ceil(count / size);
  if (total < 2) return null;
  return (
    <Group justify="center" mt="lg">
      <Pagination total={total} value={page} onChange={(next) => onPage(String(next))} getControlProps={(control) => ({ 'aria-label': `${control} page` })} />
    </Group>
  );
}
