// Top right: who is using the page. Opens the dialog when something needs a key.
import { Button, Menu, Text, VisuallyHidden } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { Link } from 'react-router';
import { Amount, Hash } from '@/components/facts';
import { useReview } from '@/components/ReviewSheet';
import { Person } from '@/components/Thread';
import { useAccount } from '@/lib/api/accounts';
import { useNetwork } from '@/lib/api/network';
import { indexed, signAndCall } from '@/lib/chain/load';
import { isExpired, type IdentityRecord } from '@/lib/identity/record';
import { identityDialogClosed, setIdentityDialog, signOut, useSession } from '@/lib/identity/session';
import { IdentityDialog } from './IdentityDialog';

export function IdentityArea() {
  const session = useSession();
  const [opened, { open, close }] = useDisclosure(false);
  useEffect(() => {
    setIdentityDialog(open);
    return () => setIdentityDialog(null);
  }, [open]);
  const closed = () => {
    close();
    identityDialogClosed();
  };
  return (
    <>
      {session.identity ? <PersonMenu identity={session.identity} onSwitch={open} /> : session.status === 'signed-out' && <Button size="xs" onClick={open}>Sign in</Button>}
      <IdentityDialog opened={opened} onClose={closed} onDone={close} />
    </>
  );
}

const KINDS: Record<IdentityRecord['kind'], string> = { device: 'Key on this device', phrase: 'Recovery phrase', passkey: 'Passkey' };

function PersonMenu({ identity, onSwitch }: { identity: IdentityRecord; onSwitch: () => void }) {
  const account = useAccount(identity.principal);
  const network = useNetwork();
  const queries = useQueryClient();
  const getTokens = useGetTestTokens(identity.principal);
  const locked = isExpired(identity);
  const leave = () => {
    signOut();
    void queries.invalidateQueries();
  };
  return (
    <Menu position="bottom-end" width={300} withinPortal>
      <Menu.Target>
        <Button variant="default" size="xs">
          <VisuallyHidden>Your account: </VisuallyHidden>
          <Person principal={identity.principal} plain />
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{KINDS[identity.kind]}{locked && ', locked'}</Menu.Label>
        <Text size="sm" px="sm" pb={6} component="div">
          <Hash value={identity.principal} label="your principal" whole />
        </Text>
        <Text size="sm" px="sm" pb={6} component="div">
          Balance: {account.data ? <Amount e8s={account.data.balance_e8s} /> : '…'}
        </Text>
        <Menu.Divider />
        {network.data?.token.faucet_e8s && <Menu.Item onClick={() => void getTokens()}>Get test tokens</Menu.Item>}
        <Menu.Item component={Link} to="/my/datasets">My datasets</Menu.Item>
        <Menu.Item component={Link} to="/earnings">Earnings</Menu.Item>
        <Menu.Item component={Link} to="/tokens">API tokens</Menu.Item>
        <Menu.Divider />
        <Menu.Item onClick={onSwitch}>{locked ? 'Unlock, or use another key' : 'Use another key'}</Menu.Item>
        <Menu.Item onClick={leave}>Sign out</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function useGetTestTokens(principal: string) {
  const review = useReview();
  const network = useNetwork();
  const queries = useQueryClient();
  return async () => {
    const faucet = network.data?.token.faucet_e8s;
    if (!faucet) return;
    await review({
      title: 'Get test tokens',
      button: 'Get test tokens',
      changes: [<>The ledger mints <Amount e8s={faucet} /> to you. Each principal can do this once.</>],
      seenBy: 'Everybody: the ledger is public.',
      cost: 'Nothing.',
      undo: 'It cannot be undone, but you can send the tokens away.',
      steps: [
        {
          name: 'Claim from the faucet',
          signed: true,
          run: async ({ stage }) => {
            const { value } = await signAndCall<bigint>(queries, (chain) => ({ canister: 'ledger', contract: chain.ledger, method: 'faucet_claim', args: [] }), stage);
            await indexed(queries, 'ledger', value);
            return value;
          },
        },
      ],
      onDone: () => queries.invalidateQueries({ queryKey: ['account', principal] }),
      done: () => <Text>The tokens are in your account.</Text>,
    });
  };
}
