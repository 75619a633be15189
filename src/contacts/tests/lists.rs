//! Who is on a list: those whom the asker may see, each once, under the id they have now.

use super::*;
use crate::contacts::ListChange;
use crate::domain::ids::ListId;

/// The members that somebody sees, so many at a time.
async fn members(scene: &Scene, caller: &Caller, limit: usize) -> Vec<ContactId> {
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = scene.contacts.list_members(caller, LIST, after, limit).await.unwrap();
        assert!(page.items.len() <= limit);
        seen.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return seen,
        }
    }
}

async fn add(scene: &Scene, caller: &Caller, ids: &[ContactId]) -> ListChange {
    scene.contacts.change_list(caller, LIST, ids, &[]).await.unwrap()
}

async fn remove(scene: &Scene, caller: &Caller, ids: &[ContactId]) -> ListChange {
    // Rows of one moment do not follow each other.
    scene.clock.advance(Duration::from_millis(1));
    scene.contacts.change_list(caller, LIST, &[], ids).await.unwrap()
}

fn change(added: usize, removed: usize, not_found: &[ContactId]) -> ListChange {
    ListChange { added, removed, not_found: not_found.to_vec() }
}

#[actix_web::test]
async fn pages_go_over_all_slices_and_miss_nobody() {
    let scene = Scene::begin().await;
    let mut made = Vec::new();
    for number in 0..40 {
        made.push(scene.made(&[&format!("3519200000{number:02}")]).await.id);
    }
    assert_eq!(add(&scene, &admin(), &made).await, change(40, 0, &[]));
    assert_eq!(add(&scene, &admin(), &made[..2]).await, change(2, 0, &[]), "twice is no error");
    made.sort_unstable_by_key(|id| (id.0 as u8, *id));
    for limit in [1, 7, 40, 200] {
        assert_eq!(members(&scene, &admin(), limit).await, made, "limit {limit}");
    }
    assert_eq!(remove(&scene, &admin(), &made[3..]).await, change(0, 37, &[]));
    assert_eq!(remove(&scene, &admin(), &made[3..]).await, change(0, 37, &[]));
    assert_eq!(members(&scene, &admin(), 2).await, made[..3]);
    scene.clock.advance(Duration::from_millis(1));
    let both = scene.contacts.change_list(&admin(), LIST, &made[2..5], &made[..3]).await.unwrap();
    assert_eq!((both, members(&scene, &admin(), 9).await), (change(3, 2, &[]), made[2..5].to_vec()));
    scene.end().await;
}

#[actix_web::test]
async fn what_is_not_there_is_answered_and_the_others_are_done() {
    let scene = Scene::begin().await;
    let made = scene.made(&[A]).await.id;
    let nobody = ContactId(77);
    let changed = scene.contacts.change_list(&admin(), LIST, &[nobody, made, made], &[nobody]).await.unwrap();
    assert_eq!(changed, change(1, 0, &[nobody]));
    assert_eq!(members(&scene, &admin(), 9).await, [made]);
    let asked = |caller: Caller, list, count| {
        let contacts = Arc::clone(&scene.contacts);
        async move { contacts.change_list(&caller, list, &vec![made; count], &[]).await.map_err(|error| code(&error)) }
    };
    let key = |scope| Caller { rights: Rights::Scopes(BTreeSet::from([scope])), ..admin() };
    let elsewhere = caller(WorkspaceId(99), Role::Admin, Vec::new());
    assert_eq!(asked(admin(), LIST, 1_000).await, Ok(change(1, 0, &[])));
    assert_eq!(asked(admin(), LIST, 1_001).await, Err("too_many"));
    assert_eq!(asked(admin(), ListId(8), 1).await, Err("not_found"));
    assert_eq!(asked(elsewhere, LIST, 1).await, Err("not_found"));
    assert_eq!(asked(key(Scope::ContactsRead), LIST, 1).await, Err("forbidden"));
    assert_eq!(asked(key(Scope::ContactsWrite), LIST, 1).await, Ok(change(1, 0, &[])));
    let read = scene.contacts.list_members(&key(Scope::ContactsWrite), LIST, None, 9).await;
    assert_eq!(read.map_err(|error| code(&error)), Err("forbidden"));
    scene.end().await;
}

#[actix_web::test]
async fn who_may_not_see_a_contact_neither_adds_nor_finds_it() {
    let scene = Scene::begin().await;
    let (theirs, open) = (scene.made(&[A]).await.id, scene.made(&[B]).await.id);
    scene.contacts.assign(&admin(), asked(), theirs, Some(COLLEAGUE), None).await.unwrap();
    assert_eq!(add(&scene, &agent(), &[theirs, open]).await, change(1, 0, &[theirs]));
    assert_eq!(members(&scene, &admin(), 9).await, [open]);
    add(&scene, &admin(), &[theirs]).await;
    assert_eq!(members(&scene, &agent(), 1).await, [open]);
    assert_eq!(remove(&scene, &agent(), &[theirs]).await, change(0, 0, &[theirs]));
    assert_eq!(members(&scene, &admin(), 1).await.len(), 2);
    scene.end().await;
}

#[actix_web::test]
async fn who_was_merged_is_on_the_list_once_and_leaves_it_whole() {
    let scene = Scene::begin().await;
    let (first, second, third) = (scene.made(&[A]).await.id, scene.made(&[B]).await.id, scene.named(C));
    add(&scene, &admin(), &[first, second]).await;
    // The platform knows one person by all three.
    scene.sees(&[A, B, C], ACCOUNT, NOW.0).await;
    let stays = first.min(second);
    assert_eq!(members(&scene, &admin(), 1).await, [stays]);
    assert_eq!(remove(&scene, &admin(), &[stays]).await, change(0, 1, &[]));
    assert_eq!(members(&scene, &admin(), 1).await, [], "also under the id that redirects");
    scene.clock.advance(Duration::from_millis(1));
    assert_eq!(add(&scene, &admin(), &[third]).await, change(1, 0, &[]));
    assert_eq!(members(&scene, &admin(), 1).await, [stays], "a redirect is followed");
    assert_eq!(remove(&scene, &admin(), &[first.max(second)]).await, change(0, 1, &[]));
    assert_eq!(members(&scene, &admin(), 1).await, []);
    scene.end().await;
}

#[actix_web::test]
async fn two_who_were_merged_into_a_third_are_on_the_list_once() {
    let scene = Scene::begin().await;
    let stays = scene.made(&[A]).await.id;
    scene.clock.advance(Duration::from_millis(1));
    let (second, third) = (scene.made(&[B]).await.id, scene.made(&[C]).await.id);
    add(&scene, &admin(), &[second, third]).await;
    scene.sees(&[A, B, C], ACCOUNT, NOW.0).await;
    assert_eq!(members(&scene, &admin(), 1).await, [stays]);
    assert_eq!(remove(&scene, &admin(), &[third]).await, change(0, 1, &[]));
    assert_eq!(members(&scene, &admin(), 1).await, []);
    scene.end().await;
}
