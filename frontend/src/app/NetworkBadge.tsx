// Which network this is, how far it has come, and what that means for trust.
import { Popover, Stack, Text, VisuallyHidden } from '@mantine/core';
import { Fact, Facts, Hash, When, useNow } from '@/components/facts';
import { errorText } from '@/components/states';
import { useNetwork } from '@/lib/api/network';
import { formatCount, words } from '@/lib/format';
import type { Network } from '@/lib/api/types';
import css from './shell.module.css';

const NAMES: Record<Network['network'], string> = { embedded: 'Embedded', pocketic: 'PocketIC', ic: 'Internet Computer' };
const MEANINGS: Record<Network['network'], string> = {
  embedded: 'One machine runs this network and holds its keys. Good for development, tests and private pilots; it gives no decentralisation.',
  pocketic: 'A local test network. It holds its own keys and gives no decentralisation.',
  ic: 'The public Internet Computer: many independent parties run it.',
};
const STALE_NS = 120_000_000_000n;

export function NetworkBadge() {
  const { data, error } = useNetwork();
  const now = useNow();
  const stale = Boolean(error) || (data ? data.block_time_ns === null || now - BigInt(data.block_time_ns) > STALE_NS : false);
  const behind = data?.logs.filter((log) => log.indexed < log.length) ?? [];
  return (
    <Popover width={340} position="bottom-end" withArrow>
      <Popover.Target>
        <button type="button" className={css.network} data-stale={stale} >
          <VisuallyHidden>Network: </VisuallyHidden>
          <i aria-hidden />
          {data ? NAMES[data.network] : error ? 'No answer' : '…'}
          {typeof data?.height === 'number' && <span className={css.height}>{formatCount(data.height)}</span>}
        </button>
      </Popover.Target>
      <Popover.Dropdown>
        {error && <Text size="sm">{errorText(error)}</Text>}
        {data && (
          <Stack gap="sm">
            <Text size="sm">{MEANINGS[data.network]}</Text>
            <Facts>
              <Fact name="Height">{data.height === null ? 'the chain does not answer' : formatCount(data.height)}</Fact>
              {data.block_time_ns && (
                <Fact name="Last block">
                  <When ns={data.block_time_ns} />
                </Fact>
              )}
              <Fact name="Root key">
                <Hash value={data.root_key} label="root key" />
              </Fact>
              {Object.entries(data.canisters).map(([name, id]) => (
                <Fact key={name} name={words(name)}>
                  <Hash value={id} label={name} />
                </Fact>
              ))}
            </Facts>
            <Text size="xs" c="dimmed">
              {behind.length === 0 ? 'The pages show everything that the chain has recorded.' : `The pages are ${behind.reduce((sum, log) => sum + log.length - log.indexed, 0)} blocks behind the chain.`}
            </Text>
          </Stack>
        )}
      </Popover.Dropdown>
    </Popover>
  );
}
