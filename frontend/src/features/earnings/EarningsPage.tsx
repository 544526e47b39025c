// Earnings: balance and what is claimable first; then a line for each source, each opening its block; then every transfer.
import { Group, SimpleGrid, Stack, Table, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useParams } from 'react-router';
import { Amount, Hash, When } from '@/components/facts';
import { HowDoWeKnow } from '@/components/HowDoWeKnow';
import { PageHead, Scroll, Section } from '@/components/layout';
import { Pages } from '@/components/Pages';
import { SignInFirst } from '@/components/SignInFirst';
import { Empty, Shown } from '@/components/states';
import { DatasetName, Person } from '@/components/Thread';
import { transfersQuery, useAccount, useEarnings } from '@/lib/api/accounts';
import type { Earnings, Transfer } from '@/lib/api/types';
import { formatUnits, words } from '@/lib/format';
import { usePrincipal } from '@/lib/identity/session';
import { personThread } from '@/lib/thread';
import { sumE8s } from '@/lib/units';
import { Claimable } from './Claimable';
import { SendTokens } from './SendTokens';
import css from './earnings.module.css';

export function MyEarningsPage() {
  return (
    <>
      <PageHead title="Earnings" lead="What your data and your shares have brought you. Every line opens the block that proves it." />
      <SignInFirst why="Your account belongs to your key.">{(principal) => <Account principal={principal} />}</SignInFirst>
    </>
  );
}

export function AccountPage() {
  const principal = useParams().principal ?? '';
  const query = useAccount(principal);
  const me = usePrincipal();
  return (
    <>
      <PageHead
        title={<Person principal={principal} plain />}
        tab={personThread(principal).name}
        lead={<Hash value={principal} label="principal" whole />}
        actions={<Link to={`/activity?principal=${principal}`}>What they had a part in</Link>}
      />
      <Shown query={query} what="account">
        {(account) => (
          <Stack>
            <Group gap="xl">
              <Link to={`/datasets?search=${principal}`}>{formatUnits(account.datasets, 'dataset')}</Link>
              <span>{formatUnits(account.models, 'model')}</span>
              <span>{formatUnits(account.jobs, 'job')}</span>
            </Group>
            <Account principal={principal} />
            {me === principal && <Text size="sm">This is you.</Text>}
          </Stack>
        )}
      </Shown>
    </>
  );
}

function Account({ principal }: { principal: string }) {
  const query = useEarnings(principal);
  const mine = usePrincipal() === principal;
  return (
    <Shown query={query} what="account">
      {(earnings) => (
        <Stack>
          <Figures earnings={earnings} mine={mine} />
          <Section title={mine ? 'Yours to claim' : 'Theirs to claim'}>
            <Claimable earnings={earnings} mine={mine} />
          </Section>
          <SimpleGrid cols={{ base: 1, md: 2 }}>
            <Section title="By dataset">
              <BySource rows={earnings.by_dataset.map((row) => ({ key: row.dataset_id, name: <DatasetName id={row.dataset_id} title={row.title} />, amount: row.amount_e8s }))} empty="No dataset has earned anything yet." />
            </Section>
            <Section title="By model">
              <BySource rows={earnings.by_model.map((row) => ({ key: row.model, name: <Link to={`/models/${row.model}`}>{row.name}</Link>, amount: row.amount_e8s }))} empty="No model has earned anything yet." />
            </Section>
          </SimpleGrid>
          <Section title="What came in">
            <Entries entries={earnings.entries} />
          </Section>
          <Section title="Transfers">
            <Transfers principal={principal} />
          </Section>
        </Stack>
      )}
    </Shown>
  );
}

function Figures({ earnings, mine }: { earnings: Earnings; mine: boolean }) {
  return (
    <div className={css.figures}>
      <div>
        <span>Balance</span>
        <strong>
          <Amount e8s={earnings.balance_e8s} />
        </strong>
        {mine && <SendTokens balance={BigInt(earnings.balance_e8s)} />}
      </div>
      <div>
        <span>Claimable</span>
        <strong>
          <Amount e8s={sumE8s(earnings.claimable.map((row) => row.amount_e8s))} />
        </strong>
      </div>
      <div>
        <span>Earned in all</span>
        <strong>
          <Amount e8s={earnings.earned_e8s} />
        </strong>
      </div>
      <div>
        <span>Claimed so far</span>
        <strong>
          <Amount e8s={earnings.claimed_e8s} />
        </strong>
      </div>
    </div>
  );
}

interface SourceRow {
  key: string | number;
  name: React.ReactNode;
  amount: Earnings['balance_e8s'];
}

function BySource({ rows, empty }: { rows: SourceRow[]; empty: string }) {
  if (rows.length === 0) return <Text c="dimmed">{empty}</Text>;
  const most = rows.reduce((max, row) => (BigInt(row.amount) > max ? BigInt(row.amount) : max), 1n);
  return (
    <div className={css.sources}>
      {rows.map((row) => (
        <div key={row.key}>
          <span>{row.name}</span>
          <i style={{ width: `${Number((1000n * BigInt(row.amount)) / most) / 10}%` }} aria-hidden />
          <Amount e8s={row.amount} />
        </div>
      ))}
    </div>
  );
}

function Entries({ entries }: { entries: Earnings['entries'] }) {
  if (entries.length === 0) return <Empty title="Nothing has come in yet">Prices of jobs, fees and shares of paid answers will be listed here.</Empty>;
  return (
    <Scroll label="What came in">
      <Table aria-label="What came in" miw={520}>
        <Table.Tbody>
          {entries.map((entry, i) => (
            <Table.Tr key={i}>
              <Table.Td>
                <When ns={entry.at_ns} />
              </Table.Td>
              <Table.Td>{words(entry.kind)}</Table.Td>
              <Table.Td>
                {entry.dataset_id !== null && <DatasetName id={entry.dataset_id} />} {entry.job_id !== null && <Link to={`/jobs/${entry.job_id}`}>job {entry.job_id}</Link>}{' '}
                {entry.model !== null && <Link to={`/models/${entry.model}`}>the model</Link>}
              </Table.Td>
              <Table.Td ta="right">
                <Amount e8s={entry.amount_e8s} />
              </Table.Td>
              <Table.Td ta="right">
                <HowDoWeKnow compact proof={entry.proof} of={`this ${words(entry.kind).toLowerCase()}`} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Scroll>
  );
}

const KINDS: Record<Transfer['btype'], string> = { '1xfer': 'Transfer', '1mint': 'Minted', '1burn': 'Burned', '2xfer': 'Drawn by allowance', '2approve': 'Allowance' };

function Transfers({ principal }: { principal: string }) {
  const [page, setPage] = useState(1);
  const query = useQuery(transfersQuery(principal, page));
  return (
    <Shown query={query} what="transfers">
      {(data) =>
        data.count === 0 ? (
          <Empty title="No transfer yet" />
        ) : (
          <>
            <Scroll label="Transfers">
              <Table aria-label="Transfers" miw={600}>
                <Table.Tbody>
                  {data.results.map((transfer) => (
                    <Table.Tr key={transfer.index}>
                      <Table.Td>
                        <When ns={transfer.at_ns} />
                      </Table.Td>
                      <Table.Td>{KINDS[transfer.btype]}</Table.Td>
                      <Table.Td>
                        {transfer.from && <Person principal={transfer.from} />} {transfer.to && <>to <Person principal={transfer.to} /></>}
                      </Table.Td>
                      <Table.Td ta="right">
                        <Amount e8s={transfer.amount_e8s} />
                      </Table.Td>
                      <Table.Td ta="right">
                        <HowDoWeKnow compact proof={transfer.proof} of="this transfer" />
                      </Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </Scroll>
            <Pages count={data.count} page={page} onPage={(next) => setPage(Number(next))} />
          </>
        )
      }
    </Shown>
  );
}
