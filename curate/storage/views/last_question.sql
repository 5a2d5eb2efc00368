-- last_question(messages): the text of the last turn of the user in a conversation, which is a list of messages.
CREATE MACRO last_question(messages) AS
    list_filter(from_json(messages, '["JSON"]'), lambda turn: turn ->> 'role' = 'user')[-1] ->> 'content';
