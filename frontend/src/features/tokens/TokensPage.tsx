// API tokens. A token is a delegation: the person's key lets a key held by the server act for them, on named canisters, until a date.
import { Button, Table } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { When, State } from '@/components/facts';
import { PageHead, Scroll, Section, Stacked } from '@/components/layout';
import { useReview } from '@/components/ReviewSheet';
import { SignInFirst } from '@/components/SignInFirst';
import { Empty, Shown } from '@/components/states';
import { revokeToken, tokensQuery } from '@/lib/api/accounts';
import { useNetwork } from '@/lib/api/network';
import type { ApiToken } from '@/lib/api/types';
import { shorten, words } from '@/lib/format';
import { NewToken } from './NewToken';

export function TokensPage() {
  return (
    <>
      <PageHead title="API tokens" lead={<>For programs, such as the Python client: they propose and fund jobs as you, on the canisters you name, until the date you set. <a href="/api/market/docs">API documentation</a></>} />
      <SignInFirst why="A token lets a program act as you, so it is your key that makes it.">
        {(principal) => (
          <Stacked>
            <Section title="Make a token">
              <NewToken />
            </Section>
            <Section title="Your tokens">
              <List principal={principal} />
            </Section>
          </Stacked>
        )}
      </SignInFirst>
    </>
  );
}

function List({ principal }: { principal: string }) {
  const query = useQuery(tokensQuery(principal));
  return (
    <Shown query={query} what="tokens">
      {(page) => (page.results.length === 0 ? <Empty title="You have no token">Make one above; its secret is shown once.</Empty> : <TokenTable tokens={page.results} />)}
    </Shown>
  );
}

function TokenTable({ tokens }: { tokens: ApiToken[] }) {
  const network = useNetwork();
  const named = (target: string): string => Object.entries(network.data?.canisters ?? {}).find(([, id]) => id === target)?.[0] ?? target;
  return (
    <Scroll label="Your tokens">
      <Table aria-label="Your tokens" miw={620}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Name</Table.Th>
            <Table.Th>May call</Table.Th>
            <Table.Th>State</Table.Th>
            <Table.Th>Until</Table.Th>
            <Table.Th>Last used</Table.Th>
            <Table.Th />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {tokens.map((token) => (
            <Table.Tr key={token.id}>
              <Table.Td>{token.name}</Table.Td>
              <Table.Td>{token.targets.map((target) => words(shorten(named(target), 12, 3))).join(', ')}</Table.Td>
              <Table.Td>
                <State of={token.state} />
              </Table.Td>
              <Table.Td>{token.expires_at_ns ? <When ns={token.expires_at_ns} /> : '–'}</Table.Td>
              <Table.Td>{token.last_used_at_ns ? <When ns={token.last_used_at_ns} /> : 'never'}</Table.Td>
              <Table.Td ta="right">{(token.state === 'active' || token.state === 'pending') && <RevokeButton token={token} />}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Scroll>
  );
}

function RevokeButton({ token }: { token: ApiToken }) {
  const review = useReview();
  const queries = useQueryClient();
  const revoke = () =>
    review({
      title: `Revoke "${token.name}"`,
      button: 'Revoke this token',
      loss: true,
      changes: ['The server deletes the key it held. The secret does not work any more.'],
      seenBy: 'Only you.',
      cost: 'Nothing.',
      undo: 'It cannot be taken back; you can make another token.',
      steps: [{ name: 'Delete the key', run: () => revokeToken(token.id) }],
      onDone: () => queries.invalidateQueries({ queryKey: ['tokens'] }),
    });
  return (
    <Button variant="subtle" color="red" size="compact-xs" onClick={() => void revoke()}>
      Revoke
    </Button>
  );
}
